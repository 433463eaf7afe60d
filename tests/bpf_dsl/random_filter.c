// random_filter: see random_filter.h.
#include "tests/bpf_dsl/random_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

enum { RETURNS = 5, REACH = 12 };

static const uint32_t rets[RETURNS] = {SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP | 7,
                                       SECCOMP_RET_KILL_THREAD};

// Words that are asked about, the likely ones more often: number, arch, three arguments, instruction pointer.
static const uint32_t offsets[] = {0, 0, 0, 4, 16, 16, 20, 24, 28, 32, 8};

struct writer {
    struct random *random;
    struct sock_filter *insns;
    uint32_t count;
    uint32_t cells; // written on every way so far
};

static void put(struct writer *writer, uint16_t code, uint32_t k)
{
    writer->insns[writer->count++] = (struct sock_filter){.code = code, .k = k};
}

static uint32_t some_number(struct random *random)
{
    static const uint32_t numbers[] = {0, 1, 0x40000000, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 0x7fffffff, 0x80000000, 0xffffffff};
    switch (random_below(random, 6)) {
    case 0:
        return numbers[random_below(random, sizeof numbers / sizeof numbers[0])];
    case 1:
        return (uint32_t)random_next(random) >> random_below(random, 32);
    default:
        return random_below(random, 48);
    }
}

static void put_arithmetic(struct writer *writer)
{
    static const uint16_t ops[] = {BPF_AND, BPF_AND, BPF_AND, BPF_SUB, BPF_SUB, BPF_ADD, BPF_XOR,
                                   BPF_OR,  BPF_LSH, BPF_RSH, BPF_NEG, BPF_MUL, BPF_DIV};
    uint16_t op = ops[random_below(writer->random, sizeof ops / sizeof ops[0])];
    uint32_t k = some_number(writer->random);
    if (op == BPF_LSH || op == BPF_RSH) {
        k %= 32;
    }
    put(writer, (uint16_t)(BPF_ALU | op | BPF_K), op == BPF_DIV && k == 0 ? 3 : op == BPF_NEG ? 0 : k);
}

// What is done with X: a bitmap, a table in a constant, two words together, a constant in a register.
static void put_with_x(struct writer *writer)
{
    static const uint16_t ops[] = {BPF_ADD, BPF_SUB, BPF_XOR, BPF_AND, BPF_OR, BPF_DIV, BPF_MUL, BPF_RSH};
    switch (random_below(writer->random, 5)) {
    case 0:
        put(writer, BPF_MISC | BPF_TAX, 0);
        put(writer, BPF_LD | BPF_IMM, 1);
        put(writer, BPF_ALU | BPF_LSH | BPF_X, 0);
        break;
    case 1:
        put(writer, BPF_MISC | BPF_TAX, 0);
        put(writer, BPF_LD | BPF_IMM, (uint32_t)random_next(writer->random));
        put(writer, BPF_ALU | BPF_RSH | BPF_X, 0);
        break;
    case 2:
        put(writer, BPF_LDX | BPF_IMM, some_number(writer->random));
        put(writer, BPF_ALU | BPF_ADD | BPF_X, 0);
        break;
    case 3:
        put(writer, BPF_MISC | BPF_TAX, 0);
        put(writer, BPF_LD | BPF_W | BPF_ABS, offsets[random_below(writer->random, 11)]);
        put(writer, (uint16_t)(BPF_ALU | ops[random_below(writer->random, 8)] | BPF_X), 0);
        break;
    default:
        put(writer, BPF_ST, random_below(writer->random, 3));
        writer->cells |= 1u << writer->insns[writer->count - 1].k;
        break;
    }
}

static void put_load(struct writer *writer)
{
    uint32_t cell = random_below(writer->random, 3);
    if ((writer->cells & 1u << cell) != 0 && random_once_in(writer->random, 2)) {
        put(writer, BPF_LD | BPF_MEM, cell);
    } else {
        put(writer, BPF_LD | BPF_W | BPF_ABS, offsets[random_below(writer->random, sizeof offsets / sizeof offsets[0])]);
    }
}

static void put_test(struct writer *writer, bool may_use_x)
{
    static const uint16_t ops[] = {BPF_JEQ, BPF_JEQ, BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    uint16_t src = may_use_x && random_once_in(writer->random, 12) ? BPF_X : BPF_K;
    put(writer, (uint16_t)(BPF_JMP | ops[random_below(writer->random, 6)] | src), src == BPF_X ? 0 : some_number(writer->random));
}

// Points tests forward: mostly into the next few instructions, at times to a return. Cells are written before the first test, so
// that every way has them.
static void aim(struct writer *writer, uint32_t returns_at)
{
    for (uint32_t at = 0; at < returns_at; at++) {
        struct sock_filter *insn = &writer->insns[at];
        uint32_t left = writer->count - at - 1;
        if (BPF_CLASS(insn->code) != BPF_JMP) {
            continue;
        }
        uint32_t targets[2];
        for (int i = 0; i < 2; i++) {
            bool is_return = random_once_in(writer->random, 3);
            targets[i] = is_return ? returns_at - at - 1 + random_below(writer->random, RETURNS)
                                   : random_below(writer->random, left < REACH ? left : REACH);
            targets[i] = targets[i] > 255 ? random_below(writer->random, REACH) : targets[i];
        }
        insn->jt = (uint8_t)(random_once_in(writer->random, 2) ? 0 : targets[0]);
        insn->jf = (uint8_t)targets[1];
    }
}

uint32_t random_filter(struct random *random, struct sock_filter *insns, uint32_t count)
{
    struct writer writer = {.random = random, .insns = insns};
    bool has_cells = random_once_in(random, 3);
    bool has_x = random_once_in(random, 2);
    for (uint32_t cell = 0; has_cells && cell < 3; cell++) {
        put(&writer, BPF_LD | BPF_W | BPF_ABS, offsets[random_below(random, sizeof offsets / sizeof offsets[0])]);
        put(&writer, BPF_ST, cell);
        writer.cells |= 1u << cell;
    }
    put_load(&writer);
    while (writer.count + RETURNS + 8 < count) {
        if (random_once_in(random, 2)) {
            put_load(&writer);
        }
        for (uint32_t i = random_below(random, 6); i > 3; i--) {
            put_arithmetic(&writer);
        }
        if (has_x && random_once_in(random, 4)) {
            put_with_x(&writer);
        }
        put_test(&writer, has_x);
        // A cell written behind a test is not written on every way.
        writer.cells = has_cells ? 7 : 0;
    }
    uint32_t returns_at = writer.count;
    for (int i = 0; i < RETURNS; i++) {
        uint32_t action = rets[i] & SECCOMP_RET_ACTION_FULL;
        bool has_data = action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRAP;
        put(&writer, BPF_RET | BPF_K, rets[i] | (has_data ? random_below(random, 16) : 0));
    }
    aim(&writer, returns_at);
    return writer.count;
}

static uint32_t near_program(struct random *random, const struct sock_filter *insns, uint32_t count)
{
    uint32_t k = insns[random_below(random, count)].k;
    uint32_t other = insns[random_below(random, count)].k;
    switch (random_below(random, 8)) {
    case 0:
        return random_below(random, 64);
    case 1:
        return (uint32_t)random_next(random);
    case 2:
        return k + random_below(random, 40);
    case 3:
        return k ^ other;
    case 4:
        return k + other;
    case 5:
        return ~k;
    default:
        return k + random_below(random, 3) - 1;
    }
}

struct brig_dsl_data random_filter_call(struct random *random, const struct sock_filter *insns, uint32_t count)
{
    struct brig_dsl_data data = {.nr = near_program(random, insns, count), .audit_arch = near_program(random, insns, count)};
    data.ip = near_program(random, insns, count) | (uint64_t)near_program(random, insns, count) << 32;
    for (int i = 0; i < 6; i++) {
        data.args[i] = near_program(random, insns, count) | (uint64_t)near_program(random, insns, count) << 32;
    }
    return data;
}
