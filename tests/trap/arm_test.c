// Arming: what it refuses, what it leaves as it was, and what nobody can change afterwards.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trap/fixture.h"
#include "trap/handler/handler.h"

static const struct trap_rule rules[] = {{SYS_getppid, ANY, 0, {.verb = BRIG_DSL_REPORT, .data = EPERM}}};

static bool has_default_action(void)
{
    struct sigaction action;
    return sigaction(SIGSYS, NULL, &action) == 0 && action.sa_handler == SIG_DFL;
}

SANDBOX_TEST(trap, arming_refuses_what_it_cannot_use, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct brig_error error;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    struct brig_dsl_program *program = &fixture.program;

    REQUIRE(CHECK_CODE(brig_trap_arm(NULL, &fixture.setup, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "program");
    REQUIRE(CHECK_CODE(brig_trap_arm(program, NULL, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "setup");
    REQUIRE(CHECK_CODE(brig_trap_arm(program, NULL, NULL), BRIG_BAD_ARGUMENT, NULL));

    program->arch = program->arch == BRIG_DSL_ARM ? BRIG_DSL_I386 : BRIG_DSL_ARM;
    REQUIRE(CHECK_CODE(brig_trap_arm(program, &fixture.setup, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "arch");
    program->arch = brig_dsl_arch_native();

    program->traps = NULL;
    REQUIRE(CHECK_CODE(brig_trap_arm(program, &fixture.setup, &error), BRIG_BAD_ARGUMENT, &error));
    program->traps = fixture.traps;

    fixture.slots->slot_count++;
    REQUIRE(CHECK_CODE(brig_trap_arm(program, &fixture.setup, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "slots");
    fixture.slots->slot_count--;

    fixture.traps[FIXTURE_FIRST_RULE_ID].action = (struct brig_dsl_action){.verb = BRIG_DSL_EMULATE};
    REQUIRE(CHECK_CODE(brig_trap_arm(program, &fixture.setup, &error), BRIG_BAD_ARGUMENT, &error));
    CHECK_STR_EQ(error.subject, "handler");
    CHECK_EQ(error.detail, FIXTURE_FIRST_RULE_ID);

    CHECK(has_default_action());
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, programs_without_traps_need_nothing, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct brig_error error;
    fixture_start(&fixture, NULL, 0, ALLOW_ALL);
    fixture.program.trap_count = 1;
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
    fixture.program.trap_count = 0;
    fixture.program.traps = NULL;
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
    CHECK(has_default_action());
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, a_process_is_armed_for_one_program, .expect_exit = 0)
{
    static const struct trap_rule other_rules[] = {{SYS_getsid, ANY, 0, {.verb = BRIG_DSL_CRASH}}};
    struct trap_fixture fixture, other;
    struct brig_error error;
    const stack_t none = {.ss_flags = SS_DISABLE};
    stack_t stack;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    fixture_start(&other, other_rules, COUNT_OF(other_rules), ALLOW_ALL);
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
    CHECK_EQ(sigaltstack(&none, NULL), 0);
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error); // the same again, for this thread
    CHECK_EQ(sigaltstack(NULL, &stack), 0);
    CHECK_EQ(stack.ss_flags & SS_DISABLE, 0);
    REQUIRE(CHECK_CODE(brig_trap_arm(&other.program, &other.setup, &error), BRIG_ALREADY_LOCKED, &error));
    REQUIRE(fixture_install(&fixture));
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    fixture_end(&fixture);
    fixture_end(&other);
}

// Slots and waits are on sealed pages by then: another setup cannot be had, and must not seem to be.
SANDBOX_TEST(trap, a_process_is_armed_with_one_setup, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct brig_error error;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
    struct brig_trap_setup others[] = {fixture.setup, fixture.setup, fixture.setup};
    others[0].slots = NULL;
    others[1].notify_fd++;
    others[2].verdict_wait_ms++;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        test_message("row %zu", i);
        CHECK(CHECK_CODE(brig_trap_arm(&fixture.program, &others[i], &error), BRIG_ALREADY_LOCKED, &error));
    }
    fixture_end(&fixture);
}

// Whoever sent it, it waits behind a mask until arming takes the mask away: then the handler has to be there.
SANDBOX_TEST(trap, a_sigsys_that_waits_does_not_kill_while_arming, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct brig_error error;
    sigset_t sigsys;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    sigemptyset(&sigsys);
    sigaddset(&sigsys, SIGSYS);
    REQUIRE(sigprocmask(SIG_BLOCK, &sigsys, NULL) == 0 && kill(getpid(), SIGSYS) == 0);
    CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &sigsys), 0);
    CHECK_EQ(sigismember(&sigsys, SIGSYS), 0);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, nothing_of_the_program_is_needed_afterwards, .expect_exit = 0)
{
    struct trap_fixture fixture;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    memset(fixture.traps, 0xff, sizeof fixture.traps);
    memset(&fixture.program, 0xff, sizeof fixture.program);
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    fixture_end(&fixture);
}

// --- what SIGSYS was before -------------------------------------------------------------------------------------------

static volatile sig_atomic_t own_handler_ran;

static void not_ours(int signal_nr)
{
    own_handler_ran = signal_nr;
}

SANDBOX_TEST(trap, earlier_handlers_are_replaced, .expect_exit = 0)
{
    struct trap_fixture fixture;
    signal(SIGSYS, not_ours);
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    CHECK_EQ(own_handler_ran, 0);
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, an_ignored_or_blocked_sigsys_arrives_all_the_same, .expect_exit = 0)
{
    struct trap_fixture fixture;
    sigset_t all;
    signal(SIGSYS, SIG_IGN);
    sigfillset(&all);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &all, NULL), 0);
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &all), 0);
    CHECK(!sigismember(&all, SIGSYS));
    CHECK(sigismember(&all, SIGUSR1));
    CHECK_EQ(fixture.slots->reentered, 0); // and this mask is not taken for the handler's
    fixture_end(&fixture);
}

static volatile sig_atomic_t handler_was_answered;

static void trap_in_handler(int signal_nr)
{
    (void)signal_nr;
    handler_was_answered = fixture_call(SYS_getppid, 0, 0, 0, 0) == -EPERM;
}

// As event loops have them.
SANDBOX_TEST(trap, earlier_handlers_that_block_all_signals_may_trap, .expect_exit = 0)
{
    struct trap_fixture fixture;
    struct sigaction own = {.sa_handler = trap_in_handler, .sa_flags = SA_RESTART}, now;
    sigfillset(&own.sa_mask);
    CHECK_EQ(sigaction(SIGUSR1, &own, NULL), 0);
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK(handler_was_answered);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    CHECK(now.sa_handler == trap_in_handler && now.sa_flags & SA_RESTART);
    CHECK(sigismember(&now.sa_mask, SIGUSR2) && !sigismember(&now.sa_mask, SIGSYS));
    fixture_end(&fixture);
}

// --- sealing ----------------------------------------------------------------------------------------------------------

static bool has_mseal(void)
{
    return syscall(brig_dsl_call_nr(BRIG_SYS_mseal, brig_dsl_arch_native()), 0, 0, 0) == 0;
}

static void lock_quietly(struct trap_fixture *fixture)
{
    fixture_start(fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    if (!fixture_lock(fixture)) {
        _exit(1);
    }
}

SANDBOX_TEST(trap, the_root_cannot_be_written, .expect_signal = SIGSEGV)
{
    struct trap_fixture fixture;
    lock_quietly(&fixture);
    *(volatile uint32_t *)&trap_root_page.root.entry_count = 0;
}

SANDBOX_TEST(trap, the_tables_cannot_be_written, .expect_signal = SIGSEGV)
{
    struct trap_fixture fixture;
    lock_quietly(&fixture);
    *(volatile uint8_t *)(uintptr_t)&trap_root_page.root.entries[1].verb = BRIG_DSL_REPORT;
}

SANDBOX_TEST(trap, sealed_pages_stay, .expect_exit = 0)
{
    struct trap_fixture fixture;
    if (!has_mseal()) {
        test_skip("this kernel has no mseal");
        return;
    }
    lock_quietly(&fixture);
    const struct {
        const char *what;
        void *pages;
    } sealed[] = {{"root", &trap_root_page}, {"tables", (void *)(uintptr_t)trap_root_page.root.entries}};
    for (size_t i = 0; i < COUNT_OF(sealed); i++) {
        test_message("%s", sealed[i].what);
        CHECK_EQ(mprotect(sealed[i].pages, 4096, PROT_READ | PROT_WRITE), -1);
        CHECK_EQ(errno, EPERM);
        CHECK_EQ(munmap(sealed[i].pages, 4096), -1);
        CHECK(mmap(sealed[i].pages, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    }
    fixture_end(&fixture);
}

SANDBOX_TEST(trap, a_child_can_be_armed_like_its_parent, .expect_exit = 0)
{
    struct trap_fixture fixture;
    int status;
    fixture_start(&fixture, rules, COUNT_OF(rules), ALLOW_ALL);
    REQUIRE(fixture_lock(&fixture));
    const pid_t pid = fork();
    if (pid == 0) {
        struct brig_error error;
        CHECK_OK(brig_trap_arm(&fixture.program, &fixture.setup, &error), &error);
        CHECK_EQ(fixture_call(SYS_getppid, 0, 0, 0, 0), -EPERM);
        _exit(7);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_EQ(fixture.slots->reported, 1);
    fixture_end(&fixture);
}
