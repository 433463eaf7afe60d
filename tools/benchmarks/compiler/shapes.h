// shapes: policies at random, of every shape that both compilers take.
//
// shape_make(7, shape);
// import_oci(&(struct import_source){shape->name, shape->text, shape->text_bytes}, ...);   // what Brig compiles
// peer_compile(&shape->peer, 1, ...);                                                     // what libseccomp is told
#ifndef BRIG_TOOLS_BENCHMARKS_COMPILER_SHAPES_H
#define BRIG_TOOLS_BENCHMARKS_COMPILER_SHAPES_H

#include "tools/benchmarks/compiler/peer.h"

enum { SHAPE_NAME_BYTES = 64, SHAPE_RULES_MAX = 512, SHAPE_RULE_BYTES = 700 };

// One of them; filled by shape_make.
struct shape {
    char name[SHAPE_NAME_BYTES];
    char text[SHAPE_RULES_MAX * SHAPE_RULE_BYTES]; // an OCI profile
    size_t text_bytes;
    struct peer_rules peer; // the same rules
    struct peer_rule rules[SHAPE_RULES_MAX];
};

// Makes policy `number`, the same every time.
void shape_make(uint64_t number, struct shape *ret_shape);

#endif
