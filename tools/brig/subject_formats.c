// subject_formats: what a POLICY can be called, and what a file can hold. See subject.h.
#include <string.h>

#include "policies/policies.h"
#include "tools/brig/subject.h"

static const struct subject_format formats[] = {
    {"oci", ".json", import_oci},
    {"minijail", ".policy", import_minijail},
    {"pledge", ".pledge", NULL},
    {"bpf", ".bpf", NULL},
};
enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

static const struct subject_format *const oci_format = &formats[0];
const struct subject_format *const subject_raw_format = &formats[FORMAT_COUNT - 1];

struct subject_format_list subject_list_formats(bool as_files)
{
    struct subject_format_list list = {""};
    for (size_t i = 0, used = 0; i < FORMAT_COUNT && used < sizeof list.text; i++) {
        used += (size_t)snprintf(list.text + used, sizeof list.text - used, "%s%s%s", i == 0 ? "" : ", ", as_files ? "FILE" : "",
                                 as_files ? formats[i].ending : formats[i].from);
    }
    return list;
}

const struct subject_format *subject_format_of_option(const char *verb, const char *from)
{
    const char *names[FORMAT_COUNT];
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        names[i] = formats[i].from;
        if (strcmp(names[i], from) == 0) {
            return &formats[i];
        }
    }
    const char *closest = tool_closest(from, names, FORMAT_COUNT);
    if (closest != NULL) {
        tool_complain(verb, "--from=%s is not known; did you mean '%s'?", from, closest);
    } else {
        tool_complain(verb, "--from=%s is not known; known are %s", from, subject_list_formats(false).text);
    }
    return NULL;
}

static bool ends_in(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes > end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

const struct subject_format *subject_format_of_name(const char *name)
{
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (ends_in(name, formats[i].ending)) {
            return &formats[i];
        }
    }
    return NULL;
}

// A program has zero bytes in every instruction but a few, and no text has any; a profile is an object, and no other text starts
// with a brace. Returns: NULL if it may be several things.
const struct subject_format *subject_format_of_content(const char *text, size_t text_bytes)
{
    size_t at = 0;
    if (memchr(text, '\0', text_bytes) != NULL) {
        return subject_raw_format;
    }
    while (at < text_bytes && strchr(" \t\r\n", text[at]) != NULL) {
        at++;
    }
    return at < text_bytes && text[at] == '{' ? oci_format : NULL;
}

const struct brig_dsl_policy *subject_find_built_in(const char *name)
{
    for (size_t i = 0; brig_policy_all[i] != NULL; i++) {
        if (strcmp(brig_policy_all[i]->name, name) == 0) {
            return brig_policy_all[i];
        }
    }
    return NULL;
}

int subject_complain_about_policy(const char *verb, const char *name)
{
    const char *names[64] = {NULL};
    char known[160] = "";
    size_t count = 0;
    for (size_t used = 0; brig_policy_all[count] != NULL && count < sizeof names / sizeof names[0] && used < sizeof known;
         count++) {
        names[count] = brig_policy_all[count]->name;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", count == 0 ? "" : ", ", names[count]);
    }
    const char *closest = tool_closest(name, names, count);
    if (closest != NULL) {
        return tool_complain(verb, "there is no policy '%s'; did you mean '%s'?", name, closest);
    }
    return tool_complain(verb,
                         "there is no policy '%s'; built in are %s; promises stand behind pledge:; a file is named %s, or ./FILE",
                         name, known, subject_list_formats(true).text);
}
