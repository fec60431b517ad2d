/* Output files are whole or absent. */
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "file.h"
#include "output.h"

/* Number of names in the scratch directory, temporary ones included. */
static int names(void)
{
    DIR *d = opendir(scratch);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));)
        n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(d);
    return n;
}

static void holds(const char *path, const char *want)
{
    char *text;
    size_t n;
    struct error e;
    assert_done(file_read(path, 1 << 26, &text, &n, &e), e);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(text, want, n);
    free(text);
}

static void appears_when_committed(void **state)
{
    (void)state;
    struct error e;
    struct output *o;
    int before = names();
    assert_done(output_open(&o, scratch_path("a"), &e), e);
    assert_true(output_is_file(o));
    assert_done(output_write(o, "hello ", 6, &e), e);
    assert_done(output_flush(o, &e), e);
    assert_false(path_exists(scratch_path("a")));
    assert_done(output_write(o, "world", 5, &e), e);
    assert_int_equal(output_offset(o), 11);
    assert_done(output_commit(o, &e), e);
    output_free(o);
    holds(scratch_path("a"), "hello world");
    assert_int_equal(names(), before + 1);
}

static void abandoned_leaves_nothing(void **state)
{
    (void)state;
    struct error e;
    struct output *o;
    int before = names();
    assert_done(output_file(scratch_path("old"), "old", 3, &e), e);
    assert_done(output_open(&o, scratch_path("old"), &e), e);
    assert_done(output_write(o, "new", 3, &e), e);
    output_free(o);
    holds(scratch_path("old"), "old"); /* what was there stays */
    assert_done(output_open(&o, scratch_path("none"), &e), e);
    output_free(o);
    assert_int_equal(names(), before + 1);
    assert_done(output_file(scratch_path("old"), "newer", 5, &e), e);
    holds(scratch_path("old"), "newer"); /* and is replaced by a finished one */
    assert_int_equal(names(), before + 1);
}

static void large_writes(void **state)
{
    (void)state;
    enum { N = 5 << 20 };
    struct error e;
    struct output *o;
    unsigned char *data = malloc(N);
    char *back;
    size_t n, at = 0;
    random_bytes(1, data, N);
    assert_done(output_open(&o, scratch_path("large"), &e), e);
    for (size_t k = 0; at < N; k++) { /* pieces around the size of its buffer */
        static const size_t sizes[] = {0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 77777};
        size_t piece = sizes[k % 7] < N - at ? sizes[k % 7] : N - at;
        assert_done(output_write(o, data + at, piece, &e), e);
        at += piece;
        assert_int_equal(output_offset(o), at);
    }
    assert_done(output_commit(o, &e), e);
    output_free(o);
    assert_done(file_read(scratch_path("large"), 1 << 26, &back, &n, &e), e);
    assert_int_equal(n, N);
    assert_memory_equal(back, data, N);
    free(back);
    free(data);
}

static void refusals(void **state)
{
    (void)state;
    struct error e = {{0}, 0};
    struct output *o;
    assert_refused(output_open(&o, scratch, &e), e, "is a directory");
    assert_refused(output_open(&o, scratch_path("no/such/a"), &e), e, "cannot create it");
    assert_refused(output_open(&o, "", &e), e, "its name is empty");
    assert_true(e.usage);
    assert_done(output_open(&o, "/dev/full", &e), e); /* a device is written in place */
    assert_false(output_is_file(o));
    assert_done(output_write(o, "x", 1, &e), e);
    assert_refused(output_commit(o, &e), e, "the disk is full");
    output_free(o);
}

/* Permissions are those of the umask, as of any other file; a fifo is no file to be renamed. */
static void modes(void **state)
{
    (void)state;
    struct error e;
    struct stat st;
    mode_t old = umask(027);
    assert_done(output_file(scratch_path("mode"), "x", 1, &e), e);
    umask(old);
    assert_int_equal(stat(scratch_path("mode"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
    int fd = open(scratch_path("fifo"), O_RDWR);
    char text[4] = "";
    assert_done(output_file(scratch_path("fifo"), "abc", 3, &e), e);
    assert_int_equal(read(fd, text, 3), 3);
    assert_string_equal(text, "abc");
    close(fd);
}

/* A process that is killed leaves the name free. */
static void killed(void **state)
{
    (void)state;
    int before = names(), status;
    pid_t child = fork();
    if (child == 0) {
        struct output *o;
        struct error e;
        static char data[2 << 20];
        if (!output_open(&o, scratch_path("killed"), &e) && !output_write(o, data, sizeof data, &e))
            raise(SIGKILL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(names(), before);
}

/* What is kept is no temporary any more: nothing of it is left to be removed when the program ends at
 * once, least of all a file whose name has come to stand in the memory of the old one. */
static void kept(void **state)
{
    (void)state;
    struct error e;
    struct output *o;
    char *name[64];
    assert_done(output_file(scratch_path("other"), "other", 5, &e), e);
    assert_done(output_open(&o, scratch_path("whole"), &e), e);
    assert_done(output_write(o, "part", 4, &e), e);
    assert_done(output_flush(o, &e), e);
    assert_done(output_keep(o, scratch_path("part"), &e), e);
    for (size_t i = 0; i < 64; i++) {
        name[i] = malloc(strlen(scratch_path("other")) + 1 + 4 * i);
        strcpy(name[i], scratch_path("other"));
    }
    output_abandon();
    holds(scratch_path("part"), "part");
    holds(scratch_path("other"), "other");
    for (size_t i = 0; i < 64; i++)
        free(name[i]);
    output_free(o);
    holds(scratch_path("part"), "part");
}

/* What is remembered goes when the program ends at once: a file, a folder of files. */
static void remembered(void **state)
{
    (void)state;
    struct error e;
    char *file = strdup(scratch_path("file")), *folder = strdup(scratch_path("folder"));
    assert_done(output_file(file, "x", 1, &e), e);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_done(output_file(scratch_path("folder/one"), "1", 1, &e), e);
    assert_done(output_file(scratch_path("folder/two"), "2", 1, &e), e);
    output_remember(file);
    output_remember(folder);
    output_abandon();
    assert_false(path_exists(file));
    assert_false(path_exists(folder));
    output_forget(file);
    output_forget(folder);
    free(file);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_when_committed), cmocka_unit_test(abandoned_leaves_nothing),
        cmocka_unit_test(large_writes),           cmocka_unit_test(refusals),
        cmocka_unit_test(modes),                  cmocka_unit_test(killed),
        cmocka_unit_test(kept),                   cmocka_unit_test(remembered),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
