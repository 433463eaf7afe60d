// sample: the workers of the demo, and what they say to their host.
//
// A host sends a job over a worker's channel, with descriptors attached, and gets one answer for each. The renderer's job has two
// descriptors: the image to read and the thumbnail to write; the network worker's has one, to write what it fetched. Both ends are
// C structs: host and worker are one program. What comes from a worker is checked by sample_receive_answer before anyone looks at
// it.
#ifndef BRIG_TOOLS_SAMPLE_SAMPLE_H
#define BRIG_TOOLS_SAMPLE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_PATH_BYTES 64
#define SAMPLE_TEXT_BYTES 160
#define SAMPLE_DESCRIPTORS_MAX 2

// Limits of the decoder. A file inside them can still be too big for the worker's memory limit: that is an error, too.
#define SAMPLE_EDGE_MAX 8192
#define SAMPLE_PIXELS_MAX ((uint64_t)16 << 20)
#define SAMPLE_FILE_BYTES_MAX ((uint64_t)32 << 20)
#define SAMPLE_HELPERS 2

// The text chunk that the sample renderer obeys, standing in for an exploit: its text is "NAME ARGUMENT".
#define SAMPLE_EXPLOIT_KEY "Brig-Exploit"

enum sample_status {
    SAMPLE_OK,
    SAMPLE_NOT_PNG,
    SAMPLE_DAMAGED,
    SAMPLE_TOO_BIG,
    SAMPLE_NO_MEMORY,
    SAMPLE_CANNOT_READ,
    SAMPLE_CANNOT_WRITE,
    SAMPLE_CANNOT_CONNECT,
    SAMPLE_BAD_REPLY,
    SAMPLE_BAD_JOB,
    SAMPLE_STATUS_COUNT
};

struct sample_job {
    uint32_t edge;                // renderer: longest side of the thumbnail
    uint16_t port;                // network: on 127.0.0.1
    char path[SAMPLE_PATH_BYTES]; // network: "/0"
};

struct sample_answer {
    uint32_t status; // enum sample_status
    uint32_t width;  // of the image
    uint32_t height;
    uint32_t colour_type; // as in the file's header
    uint32_t thumbnail_width;
    uint32_t thumbnail_height;
    uint64_t bytes;                  // written to the output
    char detail[SAMPLE_TEXT_BYTES];  // for people, when status is not OK
    char attempt[SAMPLE_TEXT_BYTES]; // what the attempt in the image says that it achieved, empty without one
};

// Returns: a few words for `status` ("not a PNG"), or "unknown status".
const char *sample_status_text(uint32_t status);

// --- the channel ------------------------------------------------------------------------------------------------------

// Sends one message with descriptors. Returns: false with errno set.
bool sample_send(int channel_fd, const void *message, size_t message_bytes, const int *fds, size_t fd_count);
// Waits for one message; it must have exactly `message_bytes` and `fd_count` descriptors (close-on-exec), all else is closed and
// refused. Returns: false on the other side's end (errno 0), on an error, and on a message of another shape (EPROTO).
bool sample_receive(int channel_fd, void *message, size_t message_bytes, int *ret_fds, size_t fd_count);
// Receives an answer from a worker that nobody trusts: statuses in range, texts terminated and printable.
bool sample_receive_answer(int channel_fd, struct sample_answer *ret_answer);

// --- workers: functions for struct brig_worker_spec -------------------------------------------------------------------

// Starts the helper threads. Runs before the lock.
int sample_renderer_warm_up(void *data);
// Decodes one image after the other until the channel closes. Returns: 0, or 1 after a job that is no job.
int sample_renderer(void *data, int channel_fd);
// Fetches one URL after the other until the channel closes. Returns: as sample_renderer.
int sample_fetcher(void *data, int channel_fd);

// --- the host's side --------------------------------------------------------------------------------------------------

// Serves paths[N] as "/N" on a free port of 127.0.0.1 from a process of its own, which ends with its parent.
// Returns: its process id, or -1 with errno set.
int sample_http_server_start(const char *const *paths, size_t path_count, uint16_t *ret_port);

#endif
