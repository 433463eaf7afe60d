// profiles: --profile of the verbs that have it. Files are read by tools/profile; here they are opened in the order of the command
// line, and people are told what could not be used.
#include <inttypes.h>
#include <string.h>

#include "tools/brig/tool.h"

static int complain(const char *verb, const struct profile_error *error)
{
    char text[768];
    return tool_complain(verb, "%s", profile_error_format(error, text, sizeof text));
}

// Arguments count only where they are known, so who gives a profile should hear how much of it that is not.
static void report_losses(const char *verb, const struct profile *profile, enum brig_dsl_arch arch)
{
    if (profile->absent_count > 0) {
        tool_complain(verb, "note: %" PRIu64 " calls of the profile are left out, %s has no such calls", profile->absent_count,
                      brig_dsl_arch_name(arch));
    }
    if (profile->vague_count > 0) {
        tool_complain(
            verb, "note: %" PRIu64 " of %" PRIu64 " calls of the profile count without arguments: it does not give their values",
            profile->vague_count, profile->call_count);
    }
}

static bool read_files(struct profile_reader *reader, const struct tool_arguments *arguments, int option,
                       struct profile_error *reterr)
{
    for (int i = 0; i < arguments->given_count; i++) {
        if (arguments->given[i].option == option && !profile_read_file(reader, arguments->given[i].value, reterr)) {
            return false;
        }
    }
    return true;
}

// Standard input can be read once.
static bool check_stdin(const char *verb, const struct tool_arguments *arguments, int option)
{
    int count = 0;
    for (int i = 0; i < arguments->operand_count; i++) {
        count += strcmp(arguments->operands[i], "-") == 0;
    }
    for (int i = 0; i < arguments->given_count; i++) {
        count += arguments->given[i].option == option && strcmp(arguments->given[i].value, "-") == 0;
    }
    if (count > 1) {
        tool_complain(verb, "standard input can be read once, as the policy or as one profile");
    }
    return count <= 1;
}

int tool_read_profiles(const char *verb, const struct tool_arguments *arguments, int option, struct profile *ret_profile)
{
    struct profile_error error;
    const char *type = arguments->values[option + 1];
    *ret_profile = (struct profile){.calls = {NULL, 0}};
    if (arguments->values[option] == NULL) {
        return type == NULL ? -1 : tool_complain(verb, "--profile-type goes with --profile");
    }
    if (!check_stdin(verb, arguments, option)) {
        return TOOL_USAGE;
    }
    struct profile_reader *reader = profile_new(arguments->arches[0], type);
    if (reader == NULL) {
        return tool_complain(verb, "out of memory");
    }
    bool is_read = read_files(reader, arguments, option, &error) && profile_finish(reader, ret_profile, &error);
    profile_delete(reader);
    if (!is_read) {
        return complain(verb, &error);
    }
    report_losses(verb, ret_profile, arguments->arches[0]);
    return -1;
}

bool tool_check_profile_arch(const char *verb, const struct tool_request *request, const struct tool_subject *subject)
{
    const char *arch = brig_dsl_arch_name(subject->program.arch);
    if (request->options.profile == NULL || subject->program.arch == request->options.arch) {
        return true;
    }
    tool_complain(verb, "the profile was read for %s, and this program is for %s; give --arch=%s",
                  brig_dsl_arch_name(request->options.arch), arch, arch);
    return false;
}

const struct brig_dsl_profile *tool_profile_calls(const struct profile *profile)
{
    return profile->calls.sample_count == 0 ? NULL : &profile->calls;
}
