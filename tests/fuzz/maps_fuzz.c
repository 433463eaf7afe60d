// Any bytes as /proc/PID/maps: mappings ascend, paths lie within the text, and what is found contains what was asked for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/report/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "maps_fuzz: %s\n", what);
        abort();
    }
}

static void check_mapping(const struct box_maps *maps, size_t index, const char *text, size_t text_bytes)
{
    const struct box_mapping *mapping = &maps->mappings[index];
    char path[BOX_PATH_BYTES];
    must(mapping->start < mapping->end, "an empty mapping");
    must(index == 0 || mapping->start >= maps->mappings[index - 1].end, "mappings out of order");
    must(mapping->path >= text && mapping->path + mapping->path_bytes <= text + text_bytes, "a path outside the text");
    must(box_maps_find(maps, mapping->start) == mapping && box_maps_find(maps, mapping->end - 1) == mapping,
         "a mapping that is not found");
    if (box_mapping_path(mapping, path)) {
        must(strlen(path) < sizeof path && strlen(path) <= mapping->path_bytes, "a path that grew");
    }
    must(!box_mapping_has_file(mapping) || !box_mapping_is_vdso(mapping), "a vdso with a file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct box_maps maps;
    box_maps_read((const char *)data, bytes, &maps);
    must(maps.count <= BOX_MAPS_MAX, "too many mappings");
    for (size_t i = 0; i < maps.count; i++) {
        check_mapping(&maps, i, (const char *)data, bytes);
    }
    return 0;
}
