// report_html: reports as one self-contained page: no script, no font, no picture from elsewhere, nothing that a browser would
// load.
//
// Every string of a report goes through brig_report_clean and then through the escapes of HTML; the page's policy forbids scripts
// besides.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/report.h"
#include "tools/brig/report.h"

enum { CLEAN_BYTES = 65536, PLACE_BYTES = 512 };

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char style[] =
    "<style>\n"
    ":root{--ink:#1c2330;--faint:#667085;--page:#f4f5f7;--card:#fff;--line:#e3e6eb;--bad:#b42318;--bad-bg:#fef1f0;--mild:#93580b;"
    "--mild-bg:#fff6e5;--good:#176b43;--good-bg:#ecf8f1;--code:#f7f8fa;--accent:#3347b0}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e4e7ec;--faint:#98a2b3;--page:#12151b;--card:#1b2029;--line:#2e3542;--bad:#ff8a7f;"
    "--bad-bg:#3a1d1b;--mild:#f5c26b;--mild-bg:#38290f;--good:#7ddba9;--good-bg:#12301f;--code:#141922;--accent:#9db0ff}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,\"Segoe UI\",Roboto,sans-serif}\n"
    "main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}\n"
    "h1{font-size:1.35rem;margin:0 0 .25rem}h2{font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;color:var(--faint);"
    "margin:1.75rem 0 .5rem}\n"
    "p{margin:.25rem 0}.faint{color:var(--faint)}\n"
    "code,pre,.mono{font-family:ui-monospace,\"DejaVu Sans Mono\",Menlo,Consolas,monospace;font-size:.87em}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.25rem 1.5rem;margin:1rem 0}\n"
    ".call{display:block;background:var(--code);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;margin:.75rem 0 0;"
    "overflow-wrap:anywhere}\n"
    ".badge{display:inline-block;border-radius:99px;padding:.1rem .65rem;font-size:.8rem;font-weight:600;white-space:nowrap}\n"
    ".bad{color:var(--bad);background:var(--bad-bg)}.mild{color:var(--mild);background:var(--mild-bg)}"
    ".good{color:var(--good);background:var(--good-bg)}.plain{color:var(--faint);background:var(--code)}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;"
    "border-bottom:1px solid var(--line)}tr:last-child td{border-bottom:0}th{font-weight:600;color:var(--faint);font-size:.8rem}\n"
    "td.mono{overflow-wrap:anywhere}td.right,th.right{text-align:right;padding-right:0;white-space:nowrap}\n"
    "dl{display:grid;grid-template-columns:8.5rem 1fr;gap:.3rem 1rem;margin:0}dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}\n"
    "pre{background:var(--code);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;overflow-x:auto;margin:.5rem 0}\n"
    ".advice{border-left:4px solid var(--accent)}summary{cursor:pointer}details>summary{padding:.15rem 0}\n"
    ".group>summary{list-style:none;display:flex;gap:1rem;align-items:baseline}.group>summary::-webkit-details-marker{display:none}\n"
    ".count{font-size:1.35rem;font-weight:700;min-width:4rem;text-align:right;color:var(--accent)}\n"
    ".group>summary .what{flex:1;min-width:0;overflow-wrap:anywhere}\n"
    ".group[open]>summary{border-bottom:1px solid var(--line);padding-bottom:.75rem;margin-bottom:.75rem}\n"
    "</style>\n";

static void put(FILE *out, const char *text)
{
    static char clean[CLEAN_BYTES]; // too big for the stack; one thread prints
    brig_report_clean(text, clean, sizeof clean);
    tool_put_escaped(out, clean);
}

static void put_value(FILE *out, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    put(out, text == NULL ? "" : text);
}

static void start_page(FILE *out, const char *title)
{
    fputs(head, out);
    fputs("<title>", out);
    put(out, title);
    fputs("</title>\n", out);
    fputs(style, out);
    fputs("</head><body><main>\n", out);
}

static void end_page(FILE *out)
{
    fputs("</main></body></html>\n", out);
}

// --- the parts of a report --------------------------------------------------------------------------------------------

static void put_outcome(FILE *out, const json_t *report)
{
    bool is_killed = strcmp(report_string(report, "outcome", "kind"), "killed") == 0;
    fprintf(out, "<span class=\"badge %s\">", is_killed ? "bad" : "mild");
    put(out, report_string(report, "outcome", "text"));
    fputs("</span>", out);
}

static void put_fact(FILE *out, const char *name, const char *text)
{
    if (*text != '\0') {
        fprintf(out, "<dt>%s</dt><dd>", name);
        put(out, text);
        fputs("</dd>\n", out);
    }
}

static void put_facts(FILE *out, const json_t *report)
{
    char text[PLACE_BYTES];
    fputs("<h2>Decision</h2><dl>\n", out);
    report_decider(report, text, sizeof text);
    put_fact(out, "decided by", text);
    put_fact(out, "because", report_string(report, "policy", "why"));
    put_fact(out, "action", report_string(report, "policy", "action"));
    snprintf(text, sizeof text, "%s, hash %s", report_string(report, "policy", "name"), report_string(report, "policy", "hash"));
    put_fact(out, "policy", text);
    bool is_confirmed = json_is_true(json_object_get(json_object_get(report, "policy"), "confirmed"));
    fprintf(out, "<dt>checked</dt><dd><span class=\"badge %s\">%s</span></dd>\n", is_confirmed ? "good" : "bad",
            is_confirmed ? "the policy gives the same row for this call"
                         : "the policy does not give this answer: the worker may lie");
    snprintf(text, sizeof text, "pid %lld; inside it says %lld, thread %lld %s", (long long)report_number(report, "worker", "pid"),
             (long long)report_number(report, "worker", "pid_inside"), (long long)report_number(report, "worker", "tid_inside"),
             report_string(report, "worker", "thread"));
    put_fact(out, "worker", text);
    snprintf(text, sizeof text, "Linux %s, %s, %s", report_string(report, "env", "kernel"), report_string(report, "env", "machine"),
             report_string(report, "env", "libc"));
    put_fact(out, "system", text);
    if (report_number(report, "id", "count") > 1) {
        snprintf(text, sizeof text, "%s, %lld times since %s", report_string(report, "id", "time"),
                 (long long)report_number(report, "id", "count"), report_string(report, "id", "first_seen"));
    } else {
        snprintf(text, sizeof text, "%s", report_string(report, "id", "time"));
    }
    put_fact(out, "seen", text);
    fputs("</dl>\n", out);
}

static void put_arguments(FILE *out, const json_t *report)
{
    size_t i;
    const json_t *argument;
    const json_t *arguments = json_object_get(json_object_get(report, "event"), "args");
    if (json_array_size(arguments) == 0) {
        return;
    }
    fputs("<h2>Arguments</h2><table><tr><th>name</th><th>meaning</th><th class=\"right\">register</th></tr>\n", out);
    json_array_foreach(arguments, i, argument)
    {
        fputs("<tr><td>", out);
        put_value(out, argument, "name");
        fputs("</td><td class=\"mono\">", out);
        put_value(out, argument, "text");
        fputs(json_is_true(json_object_get(argument, "ignored")) ? " <span class=\"faint\">ignored by the kernel</span>" : "", out);
        fputs("</td><td class=\"mono right faint\">", out);
        put_value(out, argument, "value");
        fputs("</td></tr>\n", out);
    }
    fputs("</table>\n", out);
}

static void put_frame(FILE *out, const json_t *frame, size_t number)
{
    char place[PLACE_BYTES];
    const char *how = json_string_value(json_object_get(frame, "how"));
    report_frame_place(frame, place, sizeof place);
    fprintf(out, "<tr><td class=\"faint\">%zu</td><td class=\"mono\">", number);
    put(out, place);
    fputs("</td><td class=\"mono faint\">", out);
    put_value(out, frame, "module");
    fputs("</td><td class=\"right\"><span class=\"badge ", out);
    fputs(how != NULL && strcmp(how, "frame pointer") == 0 ? "mild\">" : "plain\">", out);
    put(out, how == NULL ? "?" : how);
    fputs("</span></td></tr>\n", out);
}

static void put_stack(FILE *out, const json_t *report)
{
    size_t i;
    const json_t *frame;
    fputs("<h2>Stack</h2><p class=\"faint\">", out);
    put(out, report_stop_sentence(report));
    fputs("</p><table><tr><th></th><th>function</th><th>module</th><th class=\"right\">found by</th></tr>\n", out);
    json_array_foreach(json_object_get(json_object_get(report, "stack"), "frames"), i, frame)
    {
        put_frame(out, frame, i);
    }
    fputs("</table>\n", out);
}

// Text whose newlines are meant.
static void put_lines(FILE *out, const char *text)
{
    while (*text != '\0') {
        char line[PLACE_BYTES];
        size_t line_bytes = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)line_bytes, text);
        put(out, line);
        fputs("\n", out);
        text += line_bytes + (text[line_bytes] == '\n');
    }
}

static void put_advice(FILE *out, const json_t *report)
{
    const char *risk = report_string(report, "advice", "risk");
    bool is_bad = strcmp(risk, "never") == 0 || strcmp(risk, "high") == 0;
    fputs("<div class=\"card advice\"><p><b>What to do</b> <span class=\"badge ", out);
    fputs(is_bad ? "bad\">" : strcmp(risk, "medium") == 0 ? "mild\">" : "good\">", out);
    fputs(strcmp(risk, "never") == 0 ? "never allow" : "risk: ", out);
    put(out, strcmp(risk, "never") == 0 ? "" : risk);
    fputs("</span></p><p>", out);
    put(out, report_string(report, "advice", "alternative"));
    fputs("</p>\n<p class=\"faint\">If it were allowed: ", out);
    put(out, report_string(report, "advice", "reason"));
    fputs(".</p>\n", out);
    if (*report_string(report, "advice", "edit") != '\0') {
        fputs("<p class=\"faint\">The smallest edit that would allow it, ", out);
        put(out, report_string(report, "advice", "place"));
        fputs(":</p><pre>", out);
        put_lines(out, report_string(report, "advice", "edit"));
        fputs("</pre>\n", out);
    }
    fputs("</div>\n", out);
}

static void put_json(FILE *out, const json_t *report)
{
    char *text = json_dumps(report, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    fputs("<details><summary class=\"faint\">Everything, as JSON</summary><pre>", out);
    tool_put_escaped(out, text == NULL ? "" : text);
    fputs("</pre></details>\n", out);
    free(text);
}

static void put_body(FILE *out, const json_t *report)
{
    fputs("<code class=\"call\">", out);
    put(out, report_string(report, "event", "text"));
    fputs("</code>\n", out);
    put_advice(out, report);
    put_arguments(out, report);
    put_facts(out, report);
    put_stack(out, report);
    fputs(
        "<h2>Trust</h2><p>Call, arguments, outcome and stack are what the worker claims; pid and modules are the kernel's; policy, row and time "
        "are the supervisor's.</p>\n",
        out);
    put_json(out, report);
}

void report_html(FILE *out, const char *title, const json_t *report)
{
    start_page(out, title);
    fputs("<div class=\"card\"><h1>", out);
    put(out, report_string(report, "worker", "name"));
    fprintf(out, " <span class=\"faint\">%lld</span> ", (long long)report_number(report, "worker", "pid"));
    put_outcome(out, report);
    fputs("</h1><p class=\"faint\">", out);
    put(out, title);
    fputs("</p>\n", out);
    put_body(out, report);
    fputs("</div>\n", out);
    end_page(out);
}

// --- a directory ------------------------------------------------------------------------------------------------------

static void put_group(FILE *out, const struct report_group *group, bool is_open)
{
    char decider[PLACE_BYTES];
    report_decider(group->newest, decider, sizeof decider);
    fprintf(out, "<details class=\"card group\"%s><summary><span class=\"count\">%lld&times;</span><span class=\"what\"><b>",
            is_open ? " open" : "", (long long)group->events);
    put(out, report_string(group->newest, "worker", "name"));
    fputs("</b> <code>", out);
    put(out, report_string(group->newest, "event", "text"));
    fputs("</code><br><span class=\"faint\">by ", out);
    put(out, decider);
    fprintf(out, " &middot; %zu file%s, newest ", group->files, group->files == 1 ? "" : "s");
    put(out, group->newest_name);
    fputs("</span></span>", out);
    put_outcome(out, group->newest);
    fputs("</summary>\n", out);
    put_body(out, group->newest);
    fputs("</details>\n", out);
}

void report_groups_html(FILE *out, const char *title, const struct report_groups *groups)
{
    start_page(out, title);
    fputs("<h1>Violations by cause</h1><p class=\"faint\">", out);
    put(out, title);
    fprintf(out, ": %zu report%s, %zu cause%s", groups->file_count, groups->file_count == 1 ? "" : "s", groups->count,
            groups->count == 1 ? "" : "s");
    if (groups->bad_count > 0) {
        fprintf(out, ", %zu file%s that could not be read", groups->bad_count, groups->bad_count == 1 ? "" : "s");
    }
    fputs("</p>\n", out);
    for (size_t i = 0; i < groups->count; i++) {
        put_group(out, &groups->list[i], i == 0);
    }
    end_page(out);
}
