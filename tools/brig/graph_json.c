// graph_json: the decisions of `brig graph` as JSON, in the form of `brig dump --stage=decisions --json`.
#include "tools/brig/dump.h"
#include "tools/brig/graph.h"

void graph_print_json(FILE *out, const struct graph *graph, const struct graph_start *starts, size_t start_count)
{
    json_t *nodes = json_array();
    json_t *calls = json_array();
    for (size_t i = 0; i < start_count; i++) {
        json_array_append_new(calls, json_pack("{s:s, s:s, s:i}", "call", brig_dsl_call_name(starts[i].call), "arch",
                                               brig_dsl_arch_name(starts[i].arch), "node", (int)starts[i].node));
    }
    for (size_t id = graph->node_count; id-- > 0;) {
        const struct graph_node *kept = &graph->nodes[id];
        const struct brig_dsl_node node = {.id = (uint32_t)id,
                                           .kind = kept->kind,
                                           .word = kept->word,
                                           .mask = kept->mask,
                                           .value = kept->value,
                                           .run_count = kept->run_count,
                                           .runs = kept->runs};
        if (kept->is_drawn) {
            json_array_append_new(nodes, dump_node_json(&node));
        }
    }
    tool_print_json(out, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "schema", "brig-graph-1", "policy", graph->subject->name,
                                   "arch", brig_dsl_arch_name(graph->subject->program.arch), "root",
                                   start_count == 0 ? json_integer(graph->root) : json_null(), "calls", calls, "nodes", nodes));
}
