// structs: structures behind pointers, decoded from bytes. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_STRUCTS_H
#define BRIG_SANDBOX_REPORT_STRUCTS_H

#include "sandbox/report.h"
#include "sandbox/report/text.h"

// Adds "{AF_INET, 127.0.0.1:80}" and the like for `bytes` of a struct with this tag. Returns: false, having added nothing, if the
// tag is not known or the bytes are too few. Context: any.
bool box_describe_struct(const char *tag, const struct brig_pointee *pointee, enum brig_dsl_arch arch, struct box_text *text);

#endif
