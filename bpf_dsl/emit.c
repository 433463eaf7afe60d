// emit: see emit.h.
#include "bpf_dsl/emit.h"

enum { DSL_REACH = UINT8_MAX };

bool dsl_emitter_init(struct dsl_emitter *emitter, struct brig_dsl_arena *arena)
{
    *emitter = (struct dsl_emitter){.insns = DSL_ARENA_ARRAY(arena, struct sock_filter, BPF_MAXINSNS)};
    return emitter->insns != NULL;
}

static dsl_place put(struct dsl_emitter *emitter, struct sock_filter insn)
{
    emitter->head++;
    if (emitter->head <= BPF_MAXINSNS) {
        emitter->insns[BPF_MAXINSNS - emitter->head] = insn;
    }
    return emitter->head;
}

dsl_place dsl_emit(struct dsl_emitter *emitter, uint16_t code, uint32_t k)
{
    return put(emitter, (struct sock_filter){.code = code, .k = k});
}

static dsl_place emit_jump(struct dsl_emitter *emitter, dsl_place place)
{
    return dsl_emit(emitter, BPF_JMP | BPF_JA, emitter->head - place);
}

static void emit_again(struct dsl_emitter *emitter, struct dsl_label *label)
{
    if (label->is_return) {
        uint16_t code = label->is_of_a ? BPF_RET | BPF_A : BPF_RET | BPF_K;
        label->nearby = dsl_emit(emitter, code, label->ret);
    } else {
        label->nearby = emit_jump(emitter, label->origin);
    }
}

void dsl_emit_nearby(struct dsl_emitter *emitter, struct dsl_label *label, uint32_t spare)
{
    if (label->nearby == 0 || emitter->head - label->nearby + spare > DSL_REACH) {
        emit_again(emitter, label);
    }
}

void dsl_emit_into(struct dsl_emitter *emitter, struct dsl_label *label)
{
    if (label->nearby == 0 || label->nearby != emitter->head) {
        emit_again(emitter, label);
    }
}

dsl_place dsl_emit_test(struct dsl_emitter *emitter, uint16_t code, uint32_t k, struct dsl_label *yes, struct dsl_label *no)
{
    // Bringing one near may push the other one away by one instruction, hence the spare.
    dsl_emit_nearby(emitter, yes, 1);
    dsl_emit_nearby(emitter, no, 0);
    uint8_t to_yes = (uint8_t)(emitter->head - yes->nearby);
    uint8_t to_no = (uint8_t)(emitter->head - no->nearby);
    return put(emitter, (struct sock_filter){.code = code, .jt = to_yes, .jf = to_no, .k = k});
}

const struct sock_filter *dsl_emitted(const struct dsl_emitter *emitter)
{
    return emitter->insns != NULL && emitter->head <= BPF_MAXINSNS ? emitter->insns + (BPF_MAXINSNS - emitter->head) : NULL;
}
