// advice: what a person could do about a refusal. Internal to sandbox/report.
#ifndef BRIG_SANDBOX_REPORT_ADVICE_H
#define BRIG_SANDBOX_REPORT_ADVICE_H

#include "sandbox/report/describe.h"

enum { BOX_ADVICE_EDIT_BYTES = 512, BOX_ADVICE_PLACE_BYTES = 256 };

enum box_risk { BOX_RISK_LOW, BOX_RISK_MEDIUM, BOX_RISK_HIGH, BOX_RISK_NEVER };

struct box_advice {
    char edit[BOX_ADVICE_EDIT_BYTES]; // rows in the language of bpf_dsl/words.h, one a line; empty where nothing should be allowed
    char place[BOX_ADVICE_PLACE_BYTES]; // where they go: "before policies/renderer.c:88"; empty without an edit
    enum box_risk risk;
    const char *reason;      // of the risk
    const char *alternative; // what to do instead
};

// Returns: "low", "medium", "high" or "never". Context: any.
const char *box_risk_name(enum box_risk risk);

// Finds the smallest edit that would allow exactly this call, and what it costs. Context: any.
void box_advise(const struct brig_violation *violation, struct box_advice *ret_advice);

#endif
