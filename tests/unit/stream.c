/* Streams: what is written is read, through files and pipes, with any number of threads; what is
 * damaged, foreign or newer is refused. */
#include "scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include "json.h"
#include "stream.h"
#include "stream_format.h"
#include "tensor.h"

/* ---- records to write --------------------------------------------------------------------------- */

struct part {
    size_t bytes;
    int width;
};

struct sample {
    size_t text; /* length of a text in the record: makes the line longer */
    int parts;   /* -1: no attachment */
    struct part part[6];
};

static const struct sample samples[] = {
    {0, -1, {{0}}},
    {3, -1, {{0}}},
    {0, 1, {{0, 1}}}, /* an empty attachment is not none */
    {0, 1, {{1, 1}}},
    {0, 1, {{1, 2}}}, /* shorter than an element */
    {0, 1, {{7, 4}}},
    {0, 2, {{0, 2}, {0, 1}}},
    {10, 3, {{5, 1}, {3, 1}, {4096, 2}}},
    {10, 5, {{100, 1}, {4, 1}, {40002, 2}, {8193, 4}, {1, 1}}},
    {70000, 1, {{100000, 2}}},             /* a line over 64 KiB: nothing fits beside it */
    {70000, -1, {{0}}},
    {1500000, -1, {{0}}},                  /* a text over a frame of texts */
    {3 << 20, 2, {{50000, 4}, {3, 1}}},    /* a line that nearly fills a frame */
    {0, 1, {{STREAM_PIECE, 2}}},
    {0, 1, {{STREAM_PIECE - 1, 4}}},
    {0, 1, {{STREAM_PIECE + 1, 2}}},
    {0, 1, {{STREAM_FRAME, 1}}},
    {0, 4, {{STREAM_PIECE / 2, 2}, {STREAM_PIECE / 2 + 3, 1}, {6 << 20, 4}, {(6 << 20) + 5, 2}}},
    {100, 6, {{1 << 20, 1}, {2, 4}, {9 << 20, 2}, {(1 << 20) + 1, 1}, {77, 1}, {3 << 20, 4}}},
    {0, -1, {{0}}},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static size_t sample_bytes(const struct sample *s)
{
    size_t n = 0;
    for (int i = 0; i < s->parts; i++)
        n += s->part[i].bytes;
    return n;
}

static json_t *sample_json(size_t i)
{
    char *text = malloc(samples[i].text + 1);
    memset(text, 'a' + (int)(i % 26), samples[i].text);
    text[samples[i].text] = 0;
    json_t *j = json_pack("{s:I, s:f}", "number", (json_int_t)i, "x", 0.1 * (double)i);
    if (samples[i].text)
        json_object_set_new(j, "text", json_string(text));
    free(text);
    return j;
}

/* Half noise, half a pattern, so that compression has something to do. */
static unsigned char *sample_data(size_t i)
{
    size_t n = sample_bytes(&samples[i]);
    unsigned char *p = malloc(n + 1);
    random_bytes(i, p, n);
    for (size_t k = 0; k < n; k++)
        if (k % 3)
            p[k] = (unsigned char)(k >> 8);
    return p;
}

static json_t *new_header(const char *source)
{
    return stream_header_new("text", source, NULL, "test", 1, NULL, NULL, NULL);
}

/* All samples as one stream into path (a fifo: a pipe). */
static void write_samples(const char *path, long threads, char digest[STREAM_DIGEST_LENGTH])
{
    struct error e = {{0}, 0};
    struct output *o;
    struct stream_writer *w;
    struct pool *pool;
    json_t *header = new_header("source");
    assert_done(pool_new(&pool, threads, &e), e);
    assert_done(output_open(&o, path, &e), e);
    assert_done(stream_create(&w, o, header, pool, &e), e);
    for (size_t i = 0; i < SAMPLES; i++) {
        unsigned char *data = sample_data(i);
        struct stream_section section[6];
        json_t *j = sample_json(i);
        size_t at = 0;
        for (int k = 0; k < samples[i].parts; k++) {
            section[k] = (struct stream_section){data + at, samples[i].part[k].bytes,
                                                 samples[i].part[k].width};
            at += samples[i].part[k].bytes;
        }
        assert_done(stream_write(w, j, section, samples[i].parts < 0 ? 0 : (size_t)samples[i].parts,
                                 &e), e);
        json_decref(j);
        free(data);
    }
    assert_done(stream_finish(w, "the digest of its input", &e), e);
    if (digest)
        strcpy(digest, stream_writer_digest(w));
    assert_done(output_commit(o, &e), e);
    stream_writer_free(w);
    output_free(o);
    pool_free(pool);
    json_decref(header);
}

static void check_record(const struct stream_record *record, size_t i)
{
    json_t *want = sample_json(i);
    size_t n = sample_bytes(&samples[i]);
    unsigned char *data = sample_data(i);
    if (samples[i].parts >= 0)
        json_object_set_new(want, "bytes", json_integer((json_int_t)n));
    if (!json_equal(want, record->json))
        fail_msg("record %zu differs", i);
    assert_int_equal(record->bytes, n);
    assert_int_equal(record->data != NULL, samples[i].parts >= 0);
    if (n && memcmp(record->data, data, n))
        fail_msg("attachment %zu differs", i);
    json_decref(want);
    free(data);
}

static void read_samples(const char *path, long threads, char digest[STREAM_DIGEST_LENGTH])
{
    struct error e = {{0}, 0};
    struct stream_reader *r;
    struct stream_record record;
    struct pool *pool;
    assert_done(pool_new(&pool, threads, &e), e);
    assert_done(stream_open(&r, path, "text", pool, &e), e);
    for (size_t i = 0; i < SAMPLES; i++) {
        if (stream_next(r, &record, &e) != 1)
            fail_msg("record %zu: %s", i, e.text);
        check_record(&record, i);
    }
    assert_done(stream_next(r, &record, &e), e);
    assert_done(stream_done(r, &e), e);
    if (digest)
        strcpy(digest, stream_end_digest(r));
    stream_close(r);
    pool_free(pool);
}

static unsigned char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *p = malloc(*n + 1);
    assert_int_equal(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

/* ---- tests --------------------------------------------------------------------------------------- */

static char file_digest[STREAM_DIGEST_LENGTH];

static void file_round_trip(void **state)
{
    (void)state;
    char digest[STREAM_DIGEST_LENGTH];
    size_t n, k;
    write_samples(scratch_path("one"), 1, file_digest);
    write_samples(scratch_path("three"), 3, digest);
    assert_string_equal(digest, file_digest);
    unsigned char *a = read_file(scratch_path("one"), &n), *b = read_file(scratch_path("three"), &k);
    assert_int_equal(n, k);
    assert_memory_equal(a, b, n); /* the same bytes with any number of threads */
    free(a);
    free(b);
    for (long threads = 1; threads <= 3; threads++) {
        read_samples(scratch_path("one"), threads, digest);
        assert_string_equal(digest, file_digest);
    }
    struct error e;
    assert_done(stream_file_digest(scratch_path("one"), digest, &e), e);
    assert_string_equal(digest, file_digest);
}

static void *fifo_writer(void *argument)
{
    write_samples(scratch_path("fifo"), *(long *)argument, NULL);
    return NULL;
}

static void pipe_round_trip(void **state)
{
    (void)state;
    for (long threads = 1; threads <= 2; threads++) {
        char digest[STREAM_DIGEST_LENGTH];
        pthread_t writer;
        unlink(scratch_path("fifo"));
        assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
        assert_int_equal(pthread_create(&writer, NULL, fifo_writer, &threads), 0);
        read_samples(scratch_path("fifo"), 3 - threads, digest);
        pthread_join(writer, NULL);
        assert_string_equal(digest, file_digest); /* transport is no part of it */
    }
}

/* What came through a pipe and was kept has no trailer: its digest is found by reading it. */
static void *fifo_saver(void *argument)
{
    int *fd = argument;
    char buffer[65536];
    FILE *f = fopen(scratch_path("saved"), "wb");
    for (ssize_t n; (n = read(*fd, buffer, sizeof buffer)) > 0;)
        fwrite(buffer, 1, (size_t)n, f);
    fclose(f);
    return NULL;
}

static void saved_pipe(void **state)
{
    (void)state;
    char digest[STREAM_DIGEST_LENGTH];
    struct error e;
    struct stream_reader *r;
    pthread_t saver;
    size_t count;
    unlink(scratch_path("fifo"));
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    int fd = open(scratch_path("fifo"), O_RDONLY | O_NONBLOCK);
    fcntl(fd, F_SETFL, 0);
    int keep = open(scratch_path("fifo"), O_WRONLY); /* no end of file before the writer came */
    assert_int_equal(pthread_create(&saver, NULL, fifo_saver, &fd), 0);
    write_samples(scratch_path("fifo"), 1, NULL);
    close(keep);
    pthread_join(saver, NULL);
    close(fd);
    read_samples(scratch_path("saved"), 2, digest);
    assert_string_equal(digest, file_digest);
    assert_done(stream_file_digest(scratch_path("saved"), digest, &e), e);
    assert_string_equal(digest, file_digest);
    assert_done(stream_open(&r, scratch_path("saved"), NULL, NULL, &e), e);
    assert_refused(stream_index(r, &count, &e), e, "has no index");
    stream_close(r);
}

static void random_access(void **state)
{
    (void)state;
    struct error e;
    struct stream_reader *r;
    struct stream_record record;
    struct pool *pool;
    size_t with[SAMPLES], count, want = 0;
    uint64_t seed = 7;
    for (size_t i = 0; i < SAMPLES; i++)
        if (samples[i].parts >= 0)
            with[want++] = i;
    assert_done(pool_new(&pool, 2, &e), e);
    assert_done(stream_open(&r, scratch_path("one"), NULL, pool, &e), e);
    assert_done(stream_index(r, &count, &e), e);
    assert_int_equal(count, want);
    for (int k = 0; k < 40; k++) {
        size_t i = random_next(&seed) % count;
        assert_done(stream_read_at(r, i, &record, &e), e);
        check_record(&record, with[i]);
    }
    assert_refused(stream_read_at(r, count, &record, &e), e, "has no attachment number");
    stream_close(r);
    pool_free(pool);
}

static void many_records(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct error e;
    struct output *o;
    struct stream_writer *w;
    struct stream_reader *r;
    struct stream_record record;
    json_t *header = new_header("many");
    assert_done(output_open(&o, scratch_path("many"), &e), e);
    assert_done(stream_create(&w, o, header, NULL, &e), e);
    for (json_int_t i = 0; i < N; i++) {
        json_t *j = json_pack("{s:I}", "i", i);
        struct stream_section section = {&i, 4, 1};
        assert_done(stream_write(w, j, &section, i % 1000 == 5, &e), e);
        json_decref(j);
    }
    assert_done(stream_finish(w, NULL, &e), e);
    assert_done(output_commit(o, &e), e);
    stream_writer_free(w);
    output_free(o);
    json_decref(header);
    assert_done(stream_open(&r, scratch_path("many"), NULL, NULL, &e), e);
    for (json_int_t i = 0; i < N; i++) {
        uint32_t x;
        assert_int_equal(stream_next(r, &record, &e), 1);
        assert_int_equal(json_integer_value(json_object_get(record.json, "i")), i);
        assert_int_equal(record.bytes, i % 1000 == 5 ? 4 : 0);
        if (record.data) {
            memcpy(&x, record.data, 4);
            assert_int_equal(x, i);
        }
    }
    assert_int_equal(stream_next(r, &record, &e), 0);
    stream_close(r);
    struct stat st;
    stat(scratch_path("many"), &st);
    assert_in_range(st.st_size, 1, 1500000); /* small records share frames */
}

static void concatenated(void **state)
{
    (void)state;
    struct error e;
    struct stream_reader *r;
    struct stream_record record;
    char digest[STREAM_DIGEST_LENGTH];
    size_t n, m, count;
    unsigned char *a = read_file(scratch_path("one"), &n), *b = read_file(scratch_path("saved"), &m);
    FILE *f = fopen(scratch_path("both"), "wb");
    for (int i = 0; i < 2; i++) { /* with and without a trailer between */
        fwrite(a, 1, n, f);
        fwrite(b, 1, m, f);
    }
    fclose(f);
    free(a);
    free(b);
    assert_done(stream_open(&r, scratch_path("both"), "text", NULL, &e), e);
    for (int stream = 0; stream < 4; stream++) {
        for (size_t i = 0; i < SAMPLES; i++) {
            assert_int_equal(stream_next(r, &record, &e), 1);
            check_record(&record, i);
        }
        assert_done(stream_next(r, &record, &e), e);
        assert_string_equal(stream_end_digest(r), file_digest);
        if (stream < 3)
            assert_refused(stream_done(r, &e), e, "more than one stream");
        assert_int_equal(stream_next_stream(r, "text", &e), stream < 3);
    }
    stream_close(r);
    assert_done(stream_open(&r, scratch_path("both"), "text", NULL, &e), e);
    assert_refused(stream_index(r, &count, &e), e, "has no index");
    stream_close(r);
    assert_refused(stream_file_digest(scratch_path("both"), digest, &e), e, "more than one stream");
}

/* ---- hand-made streams ---------------------------------------------------------------------------- */

struct maker {
    unsigned char data[1 << 20];
    size_t length;
    XXH3_state_t *digest;
    long records;
};

static void put_frame(struct maker *m, const void *text, size_t n, int checksum, int size)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, checksum);
    ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, size);
    size_t k = ZSTD_compress2(z, m->data + m->length, sizeof m->data - m->length, text, n);
    assert_false(ZSTD_isError(k));
    m->length += k;
    ZSTD_freeCCtx(z);
}

/* Reads what the maker holds to its end; the result of the first call that fails. */
static int read_made(const struct maker *m, struct error *e)
{
    struct stream_reader *r;
    struct stream_record record;
    int got;
    scratch_file("made", m->data, m->length);
    if (stream_open(&r, scratch_path("made"), "text", NULL, e))
        return -1;
    while ((got = stream_next(r, &record, e)) == 1)
        ;
    if (!got)
        got = stream_done(r, e);
    stream_close(r);
    return got;
}

#define HEADER "{\"kick\":1,\"stream\":\"text\",\"id\":\"0\",\"history\":[]}\n"

static const struct {
    const char *name, *frame[4]; /* each a frame; "@": the right end record */
    const char *refused;         /* NULL: accepted */
} made[] = {
    {"plain", {HEADER, "{\"a\":1}\n", "@"}, NULL},
    {"one frame", {HEADER "{\"a\":1}\n", "@"}, NULL},
    {"unknown keys", {"{\"kick\":1,\"stream\":\"text\",\"id\":\"0\",\"colour\":\"red\"}\n", "{\"b\":{\"c\":[]}}\n",
                      "@"}, NULL},
    {"spaces in the line", {HEADER, "{ \"a\" : 1.50 }\n", "@"}, NULL},
    {"empty must", {HEADER, "{\"a\":1,\"must\":[]}\n", "@"}, NULL},
    {"a line over two frames", {HEADER, "{\"a\":", "1}\n", "@"}, NULL},
    {"an attachment", {HEADER, "{\"a\":1,\"bytes\":3}\nxyz", "@"}, NULL},
    {"bytes not last", {HEADER, "{\"bytes\":3,\"a\":1}\nxyz", "@"}, NULL},
    {"planes", {HEADER, "{\"bytes\":4,\"planes\":[[2,4]]}\nacbd", "{\"a\":2}\n", "?"}, NULL},
    {"newer version", {"{\"kick\":2,\"stream\":\"text\",\"id\":\"0\"}\n", "@"}, "format version 2"},
    {"another kind", {"{\"kick\":1,\"stream\":\"model\",\"id\":\"0\"}\n", "@"}, "kind 'model', not 'text'"},
    {"must", {HEADER, "{\"a\":1,\"must\":[\"colour\"]}\n", "@"}, "needs \"colour\""},
    {"must in the header", {"{\"kick\":1,\"stream\":\"text\",\"id\":\"0\",\"must\":[\"x\"]}\n", "@"},
     "needs \"x\""},
    {"must is no list", {HEADER, "{\"a\":1,\"must\":\"colour\"}\n", "@"}, "\"must\" is not a list"},
    {"planes not last", {HEADER, "{\"planes\":[[2,4]],\"bytes\":4}\nacbd", "@"}, "not the last key"},
    {"planes with spaces", {HEADER, "{\"bytes\":4,\"planes\":[[2, 4]]}\nacbd", "@"}, "not the last key"},
    {"planes without bytes", {HEADER, "{\"a\":1,\"planes\":[[2,4]]}\n", "@"}, "without \"bytes\""},
    {"planes too long", {HEADER, "{\"bytes\":4,\"planes\":[[2,6]]}\nacbd", "@"}, "does not fit"},
    {"planes too short", {HEADER, "{\"bytes\":4,\"planes\":[[2,2]]}\nacbd", "@"}, "does not fit"},
    {"planes of width 3", {HEADER, "{\"bytes\":4,\"planes\":[[3,4]]}\nacbd", "@"}, "does not fit"},
    {"planes of nothing", {HEADER, "{\"bytes\":4,\"planes\":[]}\nacbd", "@"}, "not a list of pairs"},
    {"planes negative", {HEADER, "{\"bytes\":4,\"planes\":[[1,-4],[1,8]]}\nacbd", "@"}, "does not fit"},
    {"bytes negative", {HEADER, "{\"a\":1,\"bytes\":-3}\nxyz", "@"}, "not a size"},
    {"bytes a fraction", {HEADER, "{\"a\":1,\"bytes\":3.0}\nxyz", "@"}, "not a size"},
    {"bytes a text", {HEADER, "{\"a\":1,\"bytes\":\"3\"}\nxyz", "@"}, "not a size"},
    {"bytes beyond all", {HEADER, "{\"a\":1,\"bytes\":9000000000000000000}\nxyz", "@"}, "not a size"},
    {"bytes that never come", {HEADER, "{\"a\":1,\"bytes\":200000000000000}\nxyz", "@"}, "does not fill"},
    {"attachment too short", {HEADER, "{\"a\":1,\"bytes\":4}\nxyz", "@"}, "does not fill"},
    {"attachment too long", {HEADER, "{\"a\":1,\"bytes\":2}\nxyz", "@"}, "does not fill"},
    {"attachment inside a frame", {HEADER "{\"a\":1,\"bytes\":3}\nxyz", "@"}, "does not fill"},
    {"no object", {HEADER, "[1]\n", "@"}, "not an object"},
    {"not JSON", {HEADER, "{\"a\":}\n", "@"}, "not valid JSON"},
    {"a key twice", {HEADER, "{\"a\":1,\"a\":2}\n", "@"}, "not valid JSON"},
    {"an empty line", {HEADER, "\n", "@"}, "not valid JSON"},
    {"not UTF-8", {HEADER, "{\"a\":\"\xff\"}\n", "@"}, "not valid JSON"},
    {"no header", {"{\"a\":1}\n", "@"}, "is no header"},
    {"a header without id", {"{\"kick\":1,\"stream\":\"text\"}\n", "@"}, "is no header"},
    {"two headers", {HEADER, HEADER, "@"}, "second header"},
    {"no end", {HEADER, "{\"a\":1}\n"}, "truncated"},
    {"no newline", {HEADER, "{\"a\":1}"}, "truncated"},
    {"wrong count", {HEADER, "{\"a\":1}\n", "{\"end\":true,\"records\":3,\"xxh3\":\"0\"}\n"},
     "counts other records"},
    {"wrong digest", {HEADER, "{\"end\":true,\"records\":1,\"xxh3\":\"00000000000000000000000000000000\"}\n"},
     "digest in the end record"},
    {"digest missing", {HEADER, "{\"end\":true,\"records\":1}\n"}, "digest in the end record"},
    {"records after the end", {HEADER, "@", "{\"a\":1}\n"}, "more than one stream"},
};

/* `planes`: the digest is over the line without "planes" and the joined bytes, so that case brings
 * its own end. */
static void make_stream(struct maker *m, const char *const frame[4], int planes)
{
    m->length = 0;
    m->records = 0;
    m->digest = XXH3_createState();
    XXH3_128bits_reset(m->digest);
    for (int i = 0; i < 4 && frame[i]; i++) {
        const char *text = frame[i];
        char end[200];
        if (*text == '@' || *text == '?') {
            XXH128_hash_t h = XXH3_128bits_digest(m->digest);
            snprintf(end, sizeof end, "{\"end\":true,\"records\":%ld,\"xxh3\":\"%016llx%016llx\"}\n",
                     m->records, (unsigned long long)h.high64, (unsigned long long)h.low64);
            text = end;
        } else if (planes && strstr(text, "planes")) {
            XXH3_128bits_update(m->digest, "{\"bytes\":4}\nabcd", 16);
            m->records++;
        } else {
            XXH3_128bits_update(m->digest, text, strlen(text));
            for (const char *p = text; *p; p++)
                m->records += *p == '\n';
        }
        put_frame(m, text, strlen(text), 1, 1);
    }
    XXH3_freeState(m->digest);
}

static void hand_made(void **state)
{
    (void)state;
    static struct maker m;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        struct error e = {{0}, 0};
        make_stream(&m, made[i].frame, !strcmp(made[i].name, "planes"));
        int got = read_made(&m, &e);
        if (made[i].refused ? !got || !strstr(e.text, made[i].refused) || strchr(e.text, '\n') : got)
            fail_msg("%s: %s", made[i].name, got ? e.text : "was not refused");
    }
}

static void foreign_frames(void **state)
{
    (void)state;
    static struct maker m;
    static char big[STREAM_FRAME + 100];
    struct error e;
    m.length = 0;
    put_frame(&m, HEADER, strlen(HEADER), 0, 1);
    assert_refused(read_made(&m, &e), e, "without checksum");
    m.length = 0;
    put_frame(&m, HEADER, strlen(HEADER), 1, 0);
    assert_refused(read_made(&m, &e), e, "size is not given");
    m.length = 0;
    put_frame(&m, HEADER, strlen(HEADER), 1, 1);
    memset(big, ' ', sizeof big);
    put_frame(&m, big, sizeof big, 1, 1);
    assert_refused(read_made(&m, &e), e, "over 4 MiB");
    m.length = 0;
    put_frame(&m, "", 0, 1, 1); /* a frame of nothing changes nothing */
    static const char *const plain[4] = {HEADER, "@"};
    static struct maker rest;
    make_stream(&rest, plain, 0);
    memcpy(m.data + m.length, rest.data, rest.length);
    m.length += rest.length;
    assert_done(read_made(&m, &e), e);
    memcpy(m.data + m.length, "abcd", 4); /* something after the end */
    m.length += 4;
    assert_refused(read_made(&m, &e), e, "truncated");
    memcpy(m.data, "PK\3\4", 4);
    assert_refused(read_made(&m, &e), e, "is not a kick stream");
    m.length = 0;
    assert_refused(read_made(&m, &e), e, "is empty");
}

/* A header that promises 2^47 bytes costs the memory of what is there, not of what is promised. */
static void promised_bytes(void **state)
{
    (void)state;
    static struct maker m;
    struct error e;
    static char piece[STREAM_FRAME];
    const char *line = "{\"a\":1,\"bytes\":140000000000000}\n";
    size_t n = strlen(line);
    memcpy(piece, line, n);
    m.length = 0;
    put_frame(&m, HEADER, strlen(HEADER), 1, 1);
    put_frame(&m, piece, n + STREAM_PIECE, 1, 1);
    put_frame(&m, piece, STREAM_PIECE, 1, 1);
    assert_refused(read_made(&m, &e), e, "truncated");
}

static void trailer(void **state)
{
    (void)state;
    struct error e;
    struct stream_reader *r;
    struct stream_record record;
    size_t n;
    unsigned char *p = read_file(scratch_path("many"), &n);
    for (size_t i = 0; i < STREAM_TRAILER; i++) {
        p[n - 1 - i] ^= 4;
        scratch_file("trailer", p, n);
        p[n - 1 - i] ^= 4;
        assert_done(stream_open(&r, scratch_path("trailer"), NULL, NULL, &e), e);
        int got;
        while ((got = stream_next(r, &record, &e)) == 1)
            ;
        assert_int_equal(got, -1);
        stream_close(r);
    }
    free(p);
}

/* A descriptor that another part of the program closed stands for a device that fails. */
static struct stream_reader *open_lost(int *fd)
{
    struct error e;
    struct stream_reader *r;
    *fd = dup(0);
    close(*fd);
    assert_done(stream_open(&r, scratch_path("one"), NULL, NULL, &e), e);
    assert_true(fcntl(*fd, F_GETFD) >= 0);
    return r;
}

static void refusals(void **state)
{
    struct error e;
    struct stream_reader *r;
    struct stream_record record;
    char command[400];
    size_t count;
    int fd;
    (void)state;
    assert_done(stream_open(&r, scratch_path("one"), NULL, NULL, &e), e);
    assert_refused(stream_done(r, &e), e, "one: is not read to its end");
    stream_close(r);
    snprintf(command, sizeof command, "cd '%s' && cat one one >twice && rm -f fifo && mkfifo fifo && (cat one >fifo &)",
             scratch);
    assert_int_equal(system(command), 0);
    assert_done(stream_open(&r, scratch_path("twice"), NULL, NULL, &e), e);
    assert_refused(stream_index(r, &count, &e), e, "twice: holds more than one stream");
    stream_close(r);
    assert_done(stream_open(&r, scratch_path("fifo"), NULL, NULL, &e), e);
    assert_refused(stream_index(r, &count, &e), e, "fifo: is not a file; access by index needs one");
    stream_close(r);
    r = open_lost(&fd);
    assert_done(stream_index(r, &count, &e), e);
    close(fd);
    assert_refused(stream_read_at(r, 0, &record, &e), e, "one: cannot seek: ");
    stream_close(r);
    r = open_lost(&fd);
    close(fd);
    int got;
    while ((got = stream_next(r, &record, &e)) == 1)
        ;
    assert_refused(got, e, "one: cannot read it: ");
    stream_close(r);
    /* writing */
    struct output *o;
    struct stream_writer *w;
    const struct stream_section all = {"", SIZE_MAX, 1}, list[] = {all, all}, none = {"", 0, 1};
    json_t *header = new_header("source"), *small = json_object();
    char *text = calloc((5 << 20) + 1, 1);
    memset(text, 'a', 5 << 20);
    json_t *large = json_pack("{s:s}", "text", text);
    assert_done(output_open(&o, scratch_path("none"), &e), e);
    assert_done(stream_create(&w, o, header, NULL, &e), e);
    assert_refused(stream_write(w, large, &none, 1, &e), e, "record with an attachment is over 4 MiB");
    assert_refused(stream_write(w, small, list, 2, &e), e, "an attachment is too large");
    stream_writer_free(w);
    output_free(o);
    free(text);
    json_decref(header);
    json_decref(small);
    json_decref(large);
}

static void ids(void **state)
{
    (void)state;
    char a[STREAM_DIGEST_LENGTH], b[STREAM_DIGEST_LENGTH];
    struct error e;
    json_t *x = json_pack("{s:i,s:i}", "bits", 4, "group", 128);
    json_t *y = json_pack("{s:i,s:i}", "group", 128, "bits", 4);
    json_t *z = json_pack("{s:i,s:i}", "group", 64, "bits", 4);
    assert_done(stream_id("s", "p", 1, x, NULL, a, &e), e);
    assert_done(stream_id("s", "p", 1, y, NULL, b, &e), e);
    assert_string_equal(a, b); /* the order of options does not matter */
    assert_done(stream_id("s", "p", 1, z, NULL, b, &e), e);
    assert_string_not_equal(a, b);
    assert_done(stream_id("t", "p", 1, x, NULL, b, &e), e);
    assert_string_not_equal(a, b);
    assert_done(stream_id("s", "q", 1, x, NULL, b, &e), e);
    assert_string_not_equal(a, b);
    assert_done(stream_id("s", "p", 2, x, NULL, b, &e), e);
    assert_string_not_equal(a, b);
    assert_done(stream_id("s", "p", 1, x, x, b, &e), e);
    assert_string_not_equal(a, b);
    json_t *first = stream_header_new("model", "s", NULL, "p", 1, x, NULL, &e);
    json_t *second = stream_header_new("model", a, first, "q", 1, y, NULL, &e);
    const json_t *history = json_object_get(second, "history");
    assert_string_equal(json_string_value(json_object_get(first, "id")), a);
    assert_int_equal(json_array_size(history), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(history, 0), "id")), a);
    json_decref(first);
    json_decref(second);
    json_decref(x);
    json_decref(y);
    json_decref(z);
    digest_buffer("", 0, a);
    assert_string_equal(a, "99aa06d3014798d86001c324468d497f"); /* xxh3-128 of nothing */
}

static void planes(void **state)
{
    (void)state;
    static const int widths[] = {1, 2, 4, 8};
    unsigned char in[300], out[300], back[300];
    random_bytes(3, in, sizeof in);
    for (int w = 0; w < 4; w++)
        for (size_t n = 0; n < sizeof in; n++) {
            size_t width = (size_t)widths[w], k = n / width;
            memset(out, 0xAA, sizeof out);
            planes_split(in, n, widths[w], out);
            for (size_t i = 0; i < k * width; i++)
                assert_int_equal(out[i % width * k + i / width], in[i]);
            for (size_t i = k * width; i < n; i++)
                assert_int_equal(out[i], in[i]);
            for (size_t i = n; i < sizeof out; i++)
                assert_int_equal(out[i], 0xAA);
            planes_join(out, n, widths[w], back);
            assert_memory_equal(back, in, n);
        }
}

/* Version 1 stays readable: a file made by another implementation of the page (tests/data). */
static void golden_version_1(void **state)
{
    (void)state;
    struct error e;
    struct stream_reader *r;
    struct stream_record record;
    struct tensor t;
    float row[1000];
    size_t count;
    int got, seen = 0;
    assert_done(stream_open(&r, "tests/data/stream-1.kick", "model", NULL, &e), e);
    assert_string_equal(stream_header_id(r), "0123456789abcdef0123456789abcdef");
    while ((got = stream_next(r, &record, &e)) == 1) {
        seen++;
        if (!json_object_get(record.json, "tensor"))
            continue;
        assert_done(tensor_parse(&t, &record, &e), e);
        for (size_t i = 0; i < t.rows; i++) {
            tensor_row(&t, i, row);
            for (size_t j = 0; j < t.cols; j++) {
                size_t k = i * t.cols + j;
                static const float nm[12] = {0, 0, 1, 0, 2, 0, 0, 0, 3, 0, -4, 0};
                static const float scale[4] = {0.5f, 1, 2, 4}, zero[4] = {0, 1, 2, 7};
                size_t g = 2 * i + j / 4;
                float want = t.mask == MASK_NM          ? nm[k]
                             : t.mask == MASK_BITMAP    ? (k % 2 ? (float)(k + 1) : 0)
                             : t.values == VALUES_INT   ? scale[g] * ((float)((k * 5 + 1) % 8) - zero[g])
                                                        : (float)k / 4;
                if (row[j] < want || row[j] > want)
                    fail_msg("%s: row %zu column %zu", t.name, i, j);
            }
        }
        tensor_free(&t);
    }
    assert_done(got, e);
    assert_int_equal(seen, 8);
    assert_string_equal(stream_end_digest(r), "26946a327a0252247bc4371c0f84779f");
    assert_done(stream_index(r, &count, &e), e);
    assert_int_equal(count, 6);
    assert_done(stream_read_at(r, 5, &record, &e), e);
    assert_int_equal(record.bytes, 5120000);
    for (size_t i = 0; i < record.bytes; i++)
        assert_int_equal(record.data[i], i % 256);
    stream_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_round_trip), cmocka_unit_test(pipe_round_trip),
        cmocka_unit_test(saved_pipe),      cmocka_unit_test(random_access),
        cmocka_unit_test(many_records),    cmocka_unit_test(concatenated),
        cmocka_unit_test(hand_made),       cmocka_unit_test(foreign_frames),
        cmocka_unit_test(promised_bytes),  cmocka_unit_test(trailer),
        cmocka_unit_test(ids),             cmocka_unit_test(planes),
        cmocka_unit_test(golden_version_1), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
