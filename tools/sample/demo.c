// demo: the whole of Brig at work. A supervisor, workers of two types, real images, and a hijacked worker for each thing that one
// must not do.
//
//   demo [--output DIR] [IMAGE.png ...]
//
// Exit status: 0 if every image became a thumbnail and every attempt went as it must; 1 if not; 2 after wrong arguments; 3 if this
// is an instrumented build, whose policies are no sandbox, so that the attempts were left out.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policies/policies.h"
#include "tools/sample/demo.h"

enum { EXIT_FINE, EXIT_WRONG, EXIT_USAGE, EXIT_OVERLAY };

static size_t count(const char *const *list)
{
    size_t size = 0;
    while (list[size]) {
        size++;
    }
    return size;
}

static void print_title(const char *output_dir)
{
    struct utsname system;
    uname(&system);
    printf("Brig demo on Linux %s, %s. Thumbnails and reports go to %s.\n\n", system.release, system.machine, output_dir);
}

static bool make_thumbnails(struct demo_host *host, struct demo_crew *crew, const char *const *paths)
{
    bool are_made = true;
    printf(
        "1. Images. A network worker fetches each from a web server on 127.0.0.1:%u, one of %d renderers makes the thumbnail.\n\n",
        crew->port, DEMO_RENDERERS);
    if (!demo_crew_start(host, crew)) {
        return false;
    }
    printf("\n   %-36s %-7s %-8s %9s %9s %-10s %9s    %7s %8s\n", "image", "by pid", "filtered", "time", "pixels", "colours",
           "file", "pixels", "file");
    for (size_t i = 0; paths[i]; i++) {
        are_made &= demo_thumbnail(host, crew, paths, i);
    }
    return are_made;
}

// The same workers as before the attempts.
static bool show_survivors(struct demo_host *host, struct demo_crew *crew, const char *const *paths)
{
    bool are_alive = true;
    size_t good = 0;
    printf("\n3. The supervisor and the workers of before go on:\n\n");
    while (paths[good] && access(paths[good], R_OK) != 0) {
        good++;
    }
    for (size_t i = 0; paths[good] && i < DEMO_RENDERERS; i++) {
        are_alive &= crew->renderers[i]->worker != NULL;
        struct demo_crew one = *crew;
        one.renderers[good % DEMO_RENDERERS] = crew->renderers[i];
        are_alive &= demo_thumbnail(host, &one, paths, good);
    }
    return are_alive;
}

static int run(struct demo_host *host, struct demo_crew *crew, const char *const *paths)
{
    const struct brig_dsl_policy *policy = brig_policy_for_this_build("renderer");
    bool is_overlay = strcmp(policy->name, "renderer") != 0;
    if (is_overlay) {
        printf("INSTRUMENTED BUILD: the policy is %s, which is no sandbox. Attempts are left out.\n\n", policy->name);
    }
    host->is_quiet = true;
    bool is_fine = make_thumbnails(host, crew, paths);
    if (!is_overlay) {
        printf("\n2. Hijacked renderers. The image of each makes it try one thing while it decodes.\n\n");
        is_fine &= demo_attempts(host);
    }
    is_fine = is_fine && crew->network ? show_survivors(host, crew, paths) : (show_survivors(host, crew, paths), false);
    printf("\n%s\n", is_fine ? "All of it went as it must." : "NOT all of it went as it must: see above.");
    return !is_fine ? EXIT_WRONG : is_overlay ? EXIT_OVERLAY : EXIT_FINE;
}

static int run_with_server(const char *output_dir, const char *const *paths)
{
    struct demo_host host;
    struct demo_crew crew = {.network = NULL};
    // Before the supervisor exists, so that the server has none of its descriptors.
    int server = sample_http_server_start(paths, count(paths), &crew.port);
    if (server < 0) {
        perror("demo: web server");
        return EXIT_WRONG;
    }
    int status = EXIT_WRONG;
    if (demo_host_start(&host, output_dir)) {
        print_title(output_dir);
        status = run(&host, &crew, paths);
        demo_crew_end(&host, &crew);
        demo_host_end(&host);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return status;
}

int main(int argc, char **argv)
{
    const char *output_dir = "out/demo-output";
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--output") == 0) {
        output_dir = argv[2];
        first = 3;
    }
    if (first < argc && argv[first][0] == '-') {
        fprintf(stderr, "usage: demo [--output DIR] [IMAGE.png ...]\n");
        return strcmp(argv[first], "--help") == 0 ? EXIT_FINE : EXIT_USAGE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return run_with_server(output_dir, argc > first ? (const char *const *)argv + first : demo_default_images);
}
