// oci_profile: what stands in a profile. Keys, types, names of actions and operators, numbers; every word of every entry is looked
// at, also of those that will not apply.
#include <string.h>

#include "tools/import/oci.h"

enum { ERRNO_MOST = 4095 }; // the kernel answers no more: include/linux/err.h:MAX_ERRNO

// --- actions ----------------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    enum brig_dsl_verb verb;
    uint16_t data_most; // 0: it has no errnoRet
} actions[] = {
    {"SCMP_ACT_KILL", BRIG_DSL_KILL_THREAD, 0},
    {"SCMP_ACT_KILL_THREAD", BRIG_DSL_KILL_THREAD, 0},
    {"SCMP_ACT_KILL_PROCESS", BRIG_DSL_KILL_PROCESS, 0},
    {"SCMP_ACT_TRAP", BRIG_DSL_TRAP, 0},
    {"SCMP_ACT_ERRNO", BRIG_DSL_DENY, ERRNO_MOST},
    {"SCMP_ACT_TRACE", BRIG_DSL_TRACE, UINT16_MAX},
    {"SCMP_ACT_ALLOW", BRIG_DSL_ALLOW, 0},
    {"SCMP_ACT_LOG", BRIG_DSL_LOG, 0},
    {"SCMP_ACT_NOTIFY", BRIG_DSL_NOTIFY, 0},
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0], EPERM_DATA = 1 };

// An action with its data: the number, or the name that Podman's profiles give beside it.
struct spoken_action {
    const struct import_json *action;
    const struct import_json *number; // errnoRet, or NULL
    const struct import_json *name;   // errno, or NULL
};

static bool find_action(const struct import_json_reader *reader, const struct import_json *action, size_t *ret_index)
{
    const char *names[ACTION_COUNT];
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        names[i] = actions[i].name;
        if (strcmp(names[i], action->text) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return IMPORT_JSON_FAIL_NAME(reader, action, import_closest(action->text, names, ACTION_COUNT), "there is no action '%s'",
                                 action->text);
}

static bool read_errno_name(const struct import_json_reader *reader, const struct import_json *name, uint64_t *ret_number)
{
    int64_t value = 0;
    size_t bytes = strlen(name->text);
    bool is_errno = name->text[0] == 'E' && brig_dsl_constant_value(name->text, bytes, BRIG_DSL_X86_64, &value) == 0;
    if (!is_errno || value < 0 || value > ERRNO_MOST) {
        const char *closest = brig_dsl_closest_name(name->text, bytes, 'k');
        bool is_help = closest != NULL && closest[0] == 'E';
        return IMPORT_JSON_FAIL_NAME(reader, name, is_help ? closest : NULL, "there is no errno '%s'", name->text);
    }
    *ret_number = (uint64_t)value;
    return true;
}

static bool read_action(const struct import_json_reader *reader, const struct spoken_action *spoken,
                        struct brig_dsl_action *ret_action)
{
    size_t index = 0;
    uint64_t data = EPERM_DATA;
    uint64_t named = 0;
    if (!find_action(reader, spoken->action, &index)) {
        return false;
    }
    const struct import_json *given = spoken->number != NULL ? spoken->number : spoken->name;
    uint64_t most = actions[index].data_most == 0 ? UINT32_MAX : actions[index].data_most;
    if (spoken->number != NULL && !import_json_number(reader, spoken->number, spoken->number->key, most, &data)) {
        return false;
    }
    if (given != NULL && actions[index].data_most == 0 && data != 0) {
        import_warn(reader->memory, reader->source->name, given->line, "'%s' does nothing with %s", given->key,
                    spoken->action->text);
    }
    if (spoken->name != NULL && !read_errno_name(reader, spoken->name, &named)) {
        return false;
    }
    if (spoken->name != NULL && spoken->number != NULL && named != data) {
        return IMPORT_JSON_FAIL(reader, spoken->name, "'%s' and '%s' contradict each other", spoken->name->key,
                                spoken->number->key);
    }
    data = spoken->name != NULL ? named : data;
    *ret_action = (struct brig_dsl_action){.verb = actions[index].verb, .data = actions[index].data_most == 0 ? 0 : (uint16_t)data};
    return true;
}

// --- arguments --------------------------------------------------------------------------------------------------------

static const char *const operators[OCI_OPERATOR_COUNT] = {
    [OCI_NE] = "SCMP_CMP_NE",
    [OCI_LT] = "SCMP_CMP_LT",
    [OCI_LE] = "SCMP_CMP_LE",
    [OCI_EQ] = "SCMP_CMP_EQ",
    [OCI_GE] = "SCMP_CMP_GE",
    [OCI_GT] = "SCMP_CMP_GT",
    [OCI_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

static bool read_operator(const struct import_json_reader *reader, const struct import_json *name, enum oci_operator *ret_operator)
{
    for (int i = 0; i < OCI_OPERATOR_COUNT; i++) {
        if (strcmp(operators[i], name->text) == 0) {
            *ret_operator = (enum oci_operator)i;
            return true;
        }
    }
    return IMPORT_JSON_FAIL_NAME(reader, name, import_closest(name->text, operators, OCI_OPERATOR_COUNT),
                                 "there is no operator '%s'", name->text);
}

static const struct import_json_field argument_fields[] = {
    {"index", IMPORT_JSON_NUMBER},
    {"value", IMPORT_JSON_NUMBER},
    {"valueTwo", IMPORT_JSON_NUMBER},
    {"op", IMPORT_JSON_STRING},
};
enum { INDEX, VALUE, VALUE_TWO, OPERATOR, ARGUMENT_FIELDS };
static const struct import_json_shape argument_shape = IMPORT_JSON_SHAPE("an argument", argument_fields);

static bool read_argument(const struct import_json_reader *reader, const struct import_json *object,
                          struct oci_argument *ret_argument)
{
    const struct import_json *fields[ARGUMENT_FIELDS];
    uint64_t index = 0;
    if (!import_json_members(reader, object, &argument_shape, fields)) {
        return false;
    }
    if (fields[INDEX] == NULL || fields[VALUE] == NULL || fields[OPERATOR] == NULL) {
        const char *missing = fields[INDEX] == NULL ? "index" : fields[VALUE] == NULL ? "value" : "op";
        return IMPORT_JSON_FAIL(reader, object, "an argument without '%s'", missing);
    }
    *ret_argument = (struct oci_argument){.index = 0};
    if (!import_json_number(reader, fields[INDEX], "index", 5, &index) ||
        !import_json_number(reader, fields[VALUE], "value", UINT64_MAX, &ret_argument->value) ||
        !read_operator(reader, fields[OPERATOR], &ret_argument->op)) {
        return false;
    }
    ret_argument->index = (unsigned)index;
    return fields[VALUE_TWO] == NULL ||
           import_json_number(reader, fields[VALUE_TWO], "valueTwo", UINT64_MAX, &ret_argument->value_two);
}

// The order in which they are looked at does not matter to an entry that has each index once.
static void sort_arguments(struct oci_argument *arguments, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct oci_argument moved = arguments[i];
        size_t at = i;
        for (; at > 0 && arguments[at - 1].index > moved.index; at--) {
            arguments[at] = arguments[at - 1];
        }
        arguments[at] = moved;
    }
}

static bool read_arguments(const struct import_json_reader *reader, const struct import_json *array, struct oci_entry *entry)
{
    size_t room = 0;
    unsigned seen = 0;
    if (!import_json_elements(reader, array, "args", IMPORT_JSON_OBJECT)) {
        return false;
    }
    for (const struct import_json *element = array->first; element != NULL; element = element->next) {
        room++;
    }
    struct oci_argument *arguments = import_alloc(reader->memory, room * sizeof *arguments);
    for (const struct import_json *element = array->first; element != NULL && arguments != NULL; element = element->next) {
        struct oci_argument *argument = &arguments[entry->argument_count++];
        if (!read_argument(reader, element, argument)) {
            return false;
        }
        entry->is_any |= (seen >> argument->index & 1u) != 0;
        seen |= 1u << argument->index;
    }
    if (arguments != NULL && !entry->is_any) {
        sort_arguments(arguments, entry->argument_count);
    }
    entry->arguments = arguments;
    return true;
}

// --- entries ----------------------------------------------------------------------------------------------------------

static const struct import_json_field entry_fields[] = {
    {"names", IMPORT_JSON_ARRAY},     {"name", IMPORT_JSON_STRING},     {"action", IMPORT_JSON_STRING},
    {"errnoRet", IMPORT_JSON_NUMBER}, {"errno", IMPORT_JSON_STRING},    {"args", IMPORT_JSON_ARRAY},
    {"comment", IMPORT_JSON_STRING},  {"includes", IMPORT_JSON_OBJECT}, {"excludes", IMPORT_JSON_OBJECT},
};
enum { NAMES, NAME, ACTION, ERRNO_RET, ERRNO_NAME, ARGS, COMMENT, INCLUDES, EXCLUDES, ENTRY_FIELDS };
static const struct import_json_shape entry_shape = IMPORT_JSON_SHAPE("an entry of 'syscalls'", entry_fields);

static bool check_names(const struct import_json_reader *reader, const struct import_json *names)
{
    for (const struct import_json *name = names; name != NULL; name = name->next) {
        size_t bytes = strlen(name->text);
        if (oci_find_call(name->text) == BRIG_SYS_NONE && !import_is_other_call(name->text, bytes)) {
            return IMPORT_JSON_FAIL_NAME(reader, name, brig_dsl_closest_name(name->text, bytes, 'c'),
                                         "there is no system call '%s'", name->text);
        }
    }
    return true;
}

static bool read_names(const struct import_json_reader *reader, const struct import_json *const *fields,
                       const struct import_json *object, struct oci_entry *entry)
{
    const struct import_json *name = fields[NAME] != NULL && fields[NAME]->text[0] != '\0' ? fields[NAME] : NULL;
    const struct import_json *list = fields[NAMES] != NULL ? fields[NAMES]->first : NULL;
    if (name != NULL && list != NULL) {
        return IMPORT_JSON_FAIL(reader, name, "'name' and 'names' are both given");
    }
    if (name == NULL && list == NULL) {
        return IMPORT_JSON_FAIL(reader, object, "an entry of 'syscalls' without names");
    }
    if (name != NULL) {
        // A list of its own: its neighbours are other members of the entry.
        struct import_json *alone = import_alloc(reader->memory, sizeof *alone);
        if (alone != NULL) {
            *alone = *name;
            alone->next = NULL;
        }
        list = alone;
    } else if (!import_json_elements(reader, fields[NAMES], "names", IMPORT_JSON_STRING)) {
        return false;
    }
    entry->names = list;
    return check_names(reader, list);
}

static bool read_entry(const struct import_json_reader *reader, const struct import_json *object, struct oci_entry *entry)
{
    const struct import_json *fields[ENTRY_FIELDS];
    if (!import_json_members(reader, object, &entry_shape, fields) || !read_names(reader, fields, object, entry)) {
        return false;
    }
    if (fields[ACTION] == NULL) {
        return IMPORT_JSON_FAIL(reader, object, "an entry of 'syscalls' without 'action'");
    }
    bool has_comment = fields[COMMENT] != NULL && fields[COMMENT]->text[0] != '\0';
    entry->line = object->line;
    entry->comment = has_comment ? fields[COMMENT]->text : NULL;
    entry->includes = fields[INCLUDES];
    entry->excludes = fields[EXCLUDES];
    struct spoken_action spoken = {fields[ACTION], fields[ERRNO_RET], fields[ERRNO_NAME]};
    return read_action(reader, &spoken, &entry->action) && oci_check_filters(reader, entry) &&
           (fields[ARGS] == NULL || read_arguments(reader, fields[ARGS], entry));
}

static bool read_entries(const struct import_json_reader *reader, const struct import_json *array, struct oci_profile *profile)
{
    size_t room = 0;
    if (!import_json_elements(reader, array, "syscalls", IMPORT_JSON_OBJECT)) {
        return false;
    }
    for (const struct import_json *element = array->first; element != NULL; element = element->next) {
        room++;
    }
    profile->entries = import_alloc(reader->memory, room * sizeof *profile->entries);
    for (const struct import_json *element = array->first; element != NULL && profile->entries != NULL; element = element->next) {
        if (!read_entry(reader, element, &profile->entries[profile->entry_count++])) {
            return false;
        }
    }
    return true;
}

// --- the profile ------------------------------------------------------------------------------------------------------

static const struct import_json_field profile_fields[] = {
    {"defaultAction", IMPORT_JSON_STRING}, {"defaultErrnoRet", IMPORT_JSON_NUMBER},  {"defaultErrno", IMPORT_JSON_STRING},
    {"architectures", IMPORT_JSON_ARRAY},  {"archMap", IMPORT_JSON_ARRAY},           {"flags", IMPORT_JSON_ARRAY},
    {"listenerPath", IMPORT_JSON_STRING},  {"listenerMetadata", IMPORT_JSON_STRING}, {"syscalls", IMPORT_JSON_ARRAY},
};
enum {
    DEFAULT_ACTION,
    DEFAULT_ERRNO_RET,
    DEFAULT_ERRNO,
    ARCHITECTURES,
    ARCH_MAP,
    FLAGS,
    LISTENER,
    METADATA,
    SYSCALLS,
    PROFILE_FIELDS
};
static const struct import_json_shape profile_shape = IMPORT_JSON_SHAPE("a profile", profile_fields);

static const char *const flag_names[] = {
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
};
enum { FLAG_COUNT = sizeof flag_names / sizeof flag_names[0] };

static bool check_flags(const struct import_json_reader *reader, const struct import_json *array)
{
    if (array == NULL) {
        return true;
    }
    if (!import_json_elements(reader, array, "flags", IMPORT_JSON_STRING)) {
        return false;
    }
    const char *names = "";
    size_t count = 0;
    bool is_named[FLAG_COUNT] = {false};
    for (const struct import_json *flag = array->first; flag != NULL; flag = flag->next) {
        size_t i = 0;
        while (i < FLAG_COUNT && strcmp(flag_names[i], flag->text) != 0) {
            i++;
        }
        if (i == FLAG_COUNT) {
            return IMPORT_JSON_FAIL_NAME(reader, flag, import_closest(flag->text, flag_names, FLAG_COUNT), "there is no flag '%s'",
                                         flag->text);
        }
        if (!is_named[i]) {
            names = import_print(reader->memory, "%s%s%s", names, count++ == 0 ? "" : ", ", flag_names[i]);
        }
        is_named[i] = true;
    }
    if (count > 0) {
        import_warn(reader->memory, reader->source->name, array->first->line,
                    "%s %s for who installs the program, and not in the program", names, count == 1 ? "is" : "are");
    }
    return true;
}

static bool notifies(const struct oci_profile *profile)
{
    for (size_t i = 0; i < profile->entry_count; i++) {
        if (profile->entries[i].action.verb == BRIG_DSL_NOTIFY) {
            return true;
        }
    }
    return false;
}

static bool check_listener(const struct oci_profile *profile, const struct import_json *listener,
                           const struct import_json *metadata)
{
    const struct import_json_reader *reader = profile->reader;
    bool has_listener = listener != NULL && listener->text[0] != '\0';
    if (metadata != NULL && metadata->text[0] != '\0' && !has_listener) {
        return IMPORT_JSON_FAIL(reader, metadata, "'listenerMetadata' without 'listenerPath'");
    }
    if (has_listener && !notifies(profile)) {
        return IMPORT_JSON_FAIL(reader, listener, "'listenerPath' without an entry whose action is SCMP_ACT_NOTIFY");
    }
    if (!has_listener && notifies(profile)) {
        import_warn(reader->memory, reader->source->name, 0,
                    "there is no 'listenerPath': who installs the program has to answer what SCMP_ACT_NOTIFY asks");
    }
    return true;
}

// A supervisor cannot be told about everything: how it is told is a call of its own.
static bool check_notified(const struct oci_profile *profile, const struct import_json *default_action)
{
    const struct import_json_reader *reader = profile->reader;
    if (profile->fallback.verb == BRIG_DSL_NOTIFY) {
        return IMPORT_JSON_FAIL(reader, default_action, "SCMP_ACT_NOTIFY cannot be the default action");
    }
    for (size_t i = 0; i < profile->entry_count; i++) {
        const struct oci_entry *entry = &profile->entries[i];
        for (const struct import_json *name = entry->names; name != NULL; name = name->next) {
            if (entry->action.verb == BRIG_DSL_NOTIFY && strcmp(name->text, "write") == 0) {
                return IMPORT_JSON_FAIL(reader, name,
                                        "SCMP_ACT_NOTIFY cannot be the action of write: a runtime sends the listener with it");
            }
        }
    }
    return true;
}

bool oci_read_profile(const struct import_json_reader *reader, const struct import_json *object, struct oci_profile *ret_profile)
{
    const struct import_json *fields[PROFILE_FIELDS];
    if (!import_json_members(reader, object, &profile_shape, fields)) {
        return false;
    }
    if (fields[DEFAULT_ACTION] == NULL) {
        return IMPORT_JSON_FAIL(reader, object, "a profile without 'defaultAction'");
    }
    ret_profile->reader = reader;
    ret_profile->architectures = fields[ARCHITECTURES];
    ret_profile->arch_map = fields[ARCH_MAP];
    struct spoken_action spoken = {fields[DEFAULT_ACTION], fields[DEFAULT_ERRNO_RET], fields[DEFAULT_ERRNO]};
    return read_action(reader, &spoken, &ret_profile->fallback) && check_flags(reader, fields[FLAGS]) &&
           (fields[SYSCALLS] == NULL || read_entries(reader, fields[SYSCALLS], ret_profile)) &&
           check_notified(ret_profile, fields[DEFAULT_ACTION]) && check_listener(ret_profile, fields[LISTENER], fields[METADATA]);
}
