// minijail_files: policies of the tests, and the files that they name.
#ifndef BRIG_TESTS_TOOLS_MINIJAIL_FILES_H
#define BRIG_TESTS_TOOLS_MINIJAIL_FILES_H

#include "tools/import/import.h"

// Imports `text` as dir/main.policy. Returns: as import_minijail.
bool import_text(const char *text, enum brig_dsl_arch arch, struct import_policies *ret_policies, struct import_error *reterr);

#endif
