// list_names: a list's names in the form that workers read (trap/broker_refusals.h).
#include <string.h>

#include "sandbox/broker/control.h"
#include "sandbox/broker/list.h"

static uint16_t kind_of(const struct box_node *node)
{
    const uint32_t rights = node->entry ? node->entry->rights : 0;
    uint32_t kind = node->leads ? BRIG_BROKER_NAME_LEADS : 0;
    if (rights & BRIG_BROKER_CRASH)
        kind |= BRIG_BROKER_NAME_CRASHES;
    else if (rights & BRIG_BROKER_DENY)
        kind |= BRIG_BROKER_NAME_DENIES;
    else if (node->entry)
        kind |= BRIG_BROKER_NAME_IS | (rights & BRIG_BROKER_RECURSIVE ? (uint32_t)BRIG_BROKER_NAME_COVERS : 0);
    return (uint16_t)kind;
}

static bool add_text(struct brig_broker_names *names, const char *text, uint32_t bytes, uint32_t *used)
{
    if (bytes > sizeof names->text - *used)
        return false;
    memcpy(names->text + *used, text, bytes);
    *used += bytes;
    return true;
}

static bool add_node(struct brig_broker_names *names, const struct box_node *node, uint32_t at, uint32_t *used)
{
    names->nodes[at] = (struct brig_broker_name){.text = *used,
                                                 .first_child = node->first_child,
                                                 .child_count = (uint16_t)node->child_count,
                                                 .bytes = (uint16_t)node->name_bytes,
                                                 .deny_errno = node->entry ? node->entry->deny_errno : (uint16_t)0,
                                                 .kind = kind_of(node)};
    return add_text(names, node->path + node->path_bytes - node->name_bytes, node->name_bytes, used);
}

static void fill(const struct box_list *list, struct brig_broker_names *ret_names)
{
    uint32_t used = 0;
    bool fits = list->node_count <= BRIG_BROKER_NAMES;
    ret_names->count = 0;
    ret_names->deny_errno = list->deny_errno;
    for (uint32_t i = 0; fits && i < list->node_count; i++)
        fits = add_node(ret_names, &list->nodes[i], i, &used);
    ret_names->directory = used;
    ret_names->directory_bytes = list->working_directory.bytes;
    if (fits && add_text(ret_names, list->working_directory.text, list->working_directory.bytes, &used))
        ret_names->count = list->node_count;
}

enum brig_code box_names_of(const struct brig_broker_list *list, struct brig_broker_names *ret_names, struct brig_error *reterr)
{
    struct box_list *read;
    enum brig_code code = box_list_read(list, &read, reterr);
    if (code != BRIG_OK)
        return code;
    fill(read, ret_names);
    box_list_free(read);
    return BRIG_OK;
}

void box_names_copy(struct brig_broker_names *to, const struct brig_broker_names *from)
{
    if (from->count == 0)
        return;
    memcpy(to, from, offsetof(struct brig_broker_names, nodes));
    memcpy(to->nodes, from->nodes, from->count * sizeof *from->nodes);
    memcpy(to->text, from->text, from->directory + from->directory_bytes); // which stands last
}
