// The real kernel as a witness: filters that run in a child, and what it answers.
#ifndef BRIG_TESTS_BPF_DSL_KERNEL_FIXTURE_H
#define BRIG_TESTS_BPF_DSL_KERNEL_FIXTURE_H

#include <linux/filter.h>

#include "bpf_dsl/rules.h"

// One call to be made, and its answer.
struct kernel_call {
    uint32_t nr;
    unsigned long args[6]; // as registers of this process hold them
    int answer;            // errno, or -1 where the call was let through
};

// One filter of a stack.
struct kernel_filter {
    const struct sock_filter *insns;
    uint32_t count;
};

// Installs filters in a child, in this order, makes the calls there, and fills in the answers. Every verdict about a call in the
// list must be ERRNO, or what the call does to the child is on its own head. exit_group must be let through. Returns: false when
// the child did not get through.
bool kernel_answers(const struct kernel_filter *filters, uint32_t filter_count, struct kernel_call *calls, uint32_t call_count);

enum kernel_opinion { KERNEL_ACCEPTS, KERNEL_REFUSES, KERNEL_CANNOT_SAY };

// Asks the kernel about many programs without installing one: `programs` are accepted or refused in opinions[]. Done in a child
// that already has a listener, so that a good program is refused with EBUSY, after it was checked. Returns: false when this kernel
// cannot be asked that way.
bool kernel_opinions(const struct kernel_filter *programs, uint32_t count, unsigned char *opinions);

#endif
