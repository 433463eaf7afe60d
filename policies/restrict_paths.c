// restrict_paths: no file is reached by its name.
//
// Looking is refused politely and reported: libraries probe for configuration, translations and /proc files, and so does glibc's
// backtrace when a worker panics; they go on without, and the report shows who asked, so that the question can move into warm-up.
// Opening for writing or creating is no probe: the worker is hijacked and dies.
#include "bpf_dsl/words.h"
#include "policies/policies.h"
#include "trap/trap.h"

const struct brig_dsl_row brig_policy_restrict_paths[] = {
    WHY("no file by name; libraries probe and go on without, so reading is refused politely, and reported: move it into warm-up"),
    ROW(openat, REPORT(EACCES), NO_BITS(flags, O_ACCMODE | O_CREAT | O_TRUNC)),
    ROW(open, REPORT(EACCES), NO_BITS(flags, O_ACCMODE | O_CREAT | O_TRUNC)),
    ROW(SET(brig_policy_path_questions), REPORT(EACCES)),
    WHY("glibc's fstat is newfstatat with an empty path; a filter cannot see the path, so the handler looks, and refuses others"),
    ROW(newfstatat, EMULATE(fstatat_empty_path)),
    ROW(fstatat64, EMULATE(fstatat_empty_path)),
    WHY("creating, truncating or opening for writing by name is never a probe"),
    ELSE(openat, CRASH),
    ELSE(open, CRASH),
    WHY("changing the file system by name is never a probe"),
    ROW(SET(brig_policy_path_changes), CRASH),
    ROWS_END,
};
