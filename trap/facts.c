// facts: what an emulation answers from memory, because the filter does not let anybody ask the kernel. Part of set-up.
//
// Gives what was true when the trap layer was armed, for the sealed page. Weakness: it does not follow what changes later: a parent
// that ends, a host that is renamed.

#include <sys/syscall.h>
#include <unistd.h>

#include "trap/registry.h"

void trap_facts_take(struct trap_facts *ret_facts)
{
    *ret_facts = (struct trap_facts){
        .page_bytes = (uint32_t)sysconf(_SC_PAGESIZE),
        .parent_pid = (uint32_t)getppid(),
    };
    // Not libc's: musl's struct is longer by a field. A kernel, or a filter that was here before us, that refuses leaves it empty.
    ret_facts->has_uname = syscall(SYS_uname, ret_facts->uname) == 0;
}
