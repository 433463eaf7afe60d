// broker_paths: files by their names, as the broker's list says. For USE in a policy whose worker is launched with a broker.
//
// A filter sees no path; the broker does, decides by its list, and opens what the worker gets. So every call that names a file goes
// there as a whole, whatever its flags: the list knows reading from writing and creating. The calls are those of
// trap/broker_calls.def (a test compares), and without a broker each of them answers EACCES. What a broker does not do is refused
// here as file systems refuse what they do not have; libraries know that and go on.
#include "bpf_dsl/words.h"
#include "policies/policies.h"

// clang-format off

static const struct brig_dsl_set owner_changes =
    CALLS(broker_owner_changes, "give files to another user or group",
          chown, fchown, lchown, fchownat, chown32, fchown32, lchown32);

static const struct brig_dsl_set attributes =
    CALLS(broker_attributes, "extended attributes, of names and of descriptors",
          getxattr, lgetxattr, fgetxattr, getxattrat, listxattr, llistxattr, flistxattr, listxattrat, setxattr, lsetxattr, fsetxattr,
          setxattrat, removexattr, lremovexattr, fremovexattr, removexattrat);

static const struct brig_dsl_set own_directory =
    CALLS(broker_own_directory, "the working directory: the list has one, and it stays",
          chdir, fchdir);

// clang-format on

const struct brig_dsl_row brig_policy_broker_paths[] = {
    WHY("files by name, for any library: the broker opens what its list has, and says no to the rest"),
    ROW(SET(brig_policy_path_calls), BROKER),
    WHY("files keep their owners: asked by what runs as root (SQLite of its journals), told that it may not"),
    ROW(SET(owner_changes), DENY(EPERM)),
    WHY("a file system without extended attributes, as many are"),
    ROW(SET(attributes), DENY(EOPNOTSUPP)),
    WHY("relative names start where the broker's list says; who walks trees by changing directories is told so"),
    ROW(SET(own_directory), REPORT(EACCES)),
    ROWS_END,
};
