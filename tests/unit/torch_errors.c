/* PyTorch files that are refused: every message of their three layers (zip, pickle, tensors), from a
 * file made here that provokes it. */
#include "scratch.h"

#include <zlib.h>

#include "tensor.h"
#include "torch_file.h"

#define DATA "tests/data/torch/"

static struct error e;

static void refused(const char *path, const char *says)
{
    struct torch_file *f;
    assert_refused(torch_open(&f, path, &e), e, says);
}

/* Bytes that may hold NULs. */
struct bytes {
    const char *at;
    size_t n;
};
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

/* ---- pickles -------------------------------------------------------------------------------- */

static const struct {
    struct bytes pickle;
    const char *says;
} pickles[] = {
    {BYTES("\x80\2]q\0."), "its pickle holds a list"},
    {BYTES("\x80\2cos\nsystem\nX\4\0\0\0true\x85R."), "asks for 'os.system'"},
    {BYTES("\x80\4\x8c\2os\x8c\6system\x93."), "asks for 'os.system'"},
    {BYTES("cposix\nsystem\n(S'x'\ntR."), "asks for 'posix.system'"},
    {BYTES("(S'x'\n."), "uses opcode STRING, which weights do not need"},
    {BYTES("\x80\2\x81."), "uses opcode NEWOBJ"},
    {BYTES("\x80\2\xfe."), "uses 0xfe, which is no opcode"},
    {BYTES("\x80\2ctorch\nFloatStorage\n)R."), "calls 'torch.FloatStorage'"},
    {BYTES("\x80\2ccollections\nOrderedDict\nN\x85R."), "OrderedDict' with arguments"},
    {BYTES("\x80\2N)R."), "calls None with a tuple"},
    {BYTES("\x80\2ctorch\nFloat\0Storage\n"), "a name with a NUL in it"},
    {BYTES("\x80\2NN\x93."), "something that has no proper name"},
    {BYTES("\x80\2)R."), "takes from an empty stack"},
    {BYTES("\x80\2Nh\5."), "asks for value 5, which it did not keep"},
    {BYTES("\x80\2Nr\xff\xff\xff\x7f."), "memo has a gap at 0"},
    {BYTES("\x80\2X\xff\xff\xff\x7f."), "has a text of 2147483647 bytes"},
    {BYTES("\x80\2X\xff\0\0\0."), "has a text that goes past its end"},
    {BYTES("\x80\2}(Nu."), "has a key without a value"},
    {BYTES("\x80\2}]Ns."), "has a list for a key"},
    {BYTES("\x80\2NNa."), "adds items to what is no list"},
    {BYTES("\x80\2t."), "ends a group that it did not begin"},
    {BYTES("\x80\2NNb."), "sets attributes (BUILD) of None"},
    {BYTES("\x80\2NN."), "ends with 2 values on its stack"},
    {BYTES("\x80\2NN"), "ends early"},
    {BYTES("\x80\2J\1"), "ends early, at byte 4"},
    {BYTES("\x80\1N."), "is of protocol 1"},
    {BYTES("N."), "is too small"},
};

static void test_pickles(void **state)
{
    enum { NAME = 300, RECORD = 1 << 20, RECORDS = 64, TUPLES = 3 << 20 };
    (void)state;
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++)
        refused(scratch_file("made.bin", pickles[i].pickle.at, pickles[i].pickle.n), pickles[i].says);
    refused(DATA "nested.bin", "a: is a dictionary, not a tensor");
    refused(DATA "module.bin", "asks for 'torch.nn.modules.linear.Linear'");
    refused(DATA "sparse.bin", "asks for 'torch._utils._rebuild_sparse_tensor'");
    refused(scratch, "is not a file");
    char *many = malloc(TUPLES);
    memset(many, 'c', NAME);
    refused(scratch_file("made.bin", many, NAME), "a name of more than 256 bytes");
    memset(many, ')', TUPLES);
    memcpy(many, "\x80\2", 2);
    refused(scratch_file("made.bin", many, TUPLES), "would need more than 512 MiB");
    free(many);
    /* 64 texts with holes for letters; not a byte of it may be read beyond. */
    static const unsigned char text[5] = {'X', 0xfb, 0xff, 0x0f, 0};
    FILE *f = fopen(scratch_file("made.bin", "", 0), "wb");
    for (long i = 0; i < RECORDS; i++) {
        fseek(f, i * RECORD, SEEK_SET);
        assert_int_equal(fwrite(text, 1, sizeof text, f), sizeof text);
    }
    assert_int_equal(ftruncate(fileno(f), (off_t)RECORDS * RECORD + 1), 0);
    fclose(f);
    refused(scratch_path("made.bin"), "is larger than 64 MiB");
}

/* ---- zip ------------------------------------------------------------------------------------ */

/* An archive of stored entries, and where its records stand. */
struct archive {
    unsigned char data[8192];
    size_t n, local[4], central[4], wide, locator, end;
};

static void put(struct archive *a, size_t width, uint64_t v)
{
    for (; width--; v >>= 8)
        a->data[a->n++] = (unsigned char)v;
}

static void put_bytes(struct archive *a, const void *p, size_t n)
{
    memcpy(a->data + a->n, p, n);
    a->n += n;
}

/* Names and contents alternate. zip64: with its end records. */
static void archive_make(struct archive *a, const struct bytes *part, size_t entries, bool zip64)
{
    *a = (struct archive){0};
    for (size_t i = 0; i < entries; i++) {
        const struct bytes name = part[2 * i], data = part[2 * i + 1];
        a->local[i] = a->n;
        put(a, 4, 0x04034b50);
        put(a, 10, 0);
        put(a, 4, crc32(0, (const unsigned char *)data.at, (uInt)data.n));
        put(a, 4, data.n);
        put(a, 4, data.n);
        put(a, 2, name.n);
        put(a, 2, 0);
        put_bytes(a, name.at, name.n);
        put_bytes(a, data.at, data.n);
    }
    const size_t start = a->n;
    for (size_t i = 0; i < entries; i++) {
        const struct bytes name = part[2 * i];
        a->central[i] = a->n;
        put(a, 4, 0x02014b50);
        put(a, 12, 0);
        put_bytes(a, a->data + a->local[i] + 14, 14); /* checksum, sizes, length of the name */
        put(a, 2, 4);
        put(a, 10, 0);
        put(a, 4, a->local[i]);
        put_bytes(a, name.at, name.n);
        put(a, 4, 1); /* an empty zip64 field */
    }
    const size_t bytes = a->n - start;
    a->wide = a->n;
    if (zip64) {
        put(a, 4, 0x06064b50);
        put(a, 8, 44);
        put(a, 12, 0);
        put(a, 8, entries);
        put(a, 8, entries);
        put(a, 8, bytes);
        put(a, 8, start);
        a->locator = a->n;
        put(a, 4, 0x07064b50);
        put(a, 4, 0);
        put(a, 8, a->wide);
        put(a, 4, 1);
    }
    a->end = a->n;
    put(a, 4, 0x06054b50);
    put(a, 4, 0);
    put(a, 2, entries);
    put(a, 2, entries);
    put(a, 4, bytes);
    put(a, 4, start);
    put(a, 2, 0);
}

static const struct bytes plain[] = {
    BYTES("archive/data.pkl"), BYTES("\x80\2}."), BYTES("archive/data/0"), BYTES("0123456789abcdef"),
    BYTES("archive/data/0"),   BYTES("0123456789abcdef"),
};

/* Fields that are changed: of which record, where in it, how wide, to what. */
static const struct {
    bool zip64;
    struct {
        char record; /* l, c: of the second entry; w, L: of zip64; e: the end */
        size_t at, width;
        uint64_t to;
    } change[2];
    const char *says;
} damages[] = {
    {false, {{'e', 0, 1, 0}}, "has no zip directory at its end"},
    {false, {{'e', 4, 2, 1}}, "is a part of a zip archive in several files"},
    {false, {{'e', 12, 4, 1}}, "is not where its end record says"},
    {false, {{'e', 8, 2, 999}, {'e', 10, 2, 999}}, "would have 999 entries in"},
    {false, {{'e', 8, 2, 2}, {'e', 10, 2, 2}}, "is damaged at entry 2"},
    {false, {{'e', 8, 2, 4}, {'e', 10, 2, 4}}, "has 3 entries, not 4"},
    {true, {{'L', 8, 8, UINT64_MAX}}, "its zip64 locator points outside the file"},
    {true, {{'w', 0, 1, 0}}, "its zip64 end record is damaged"},
    {true, {{'e', 8, 2, 4}, {'e', 10, 2, 4}}, "its two zip end records disagree"},
    {false, {{'c', 0, 1, 0}}, "is damaged at entry 1"},
    {false, {{'c', 28, 2, 0}}, "an entry of the zip has no proper name"},
    {false, {{'c', 8, 2, 1}}, "zip entry archive/data/0: is encrypted"},
    {false, {{'c', 10, 2, 8}}, "zip entry archive/data/0: is compressed"},
    {false, {{'c', 24, 4, UINT32_MAX}}, "zip entry archive/data/0: its zip64 sizes are missing"},
    {false, {{'c', 42, 4, 99999}}, "zip entry archive/data/0: lies outside the archive"},
    {false, {{'l', 0, 1, 0}}, "its own header has another name than the directory"},
    {false, {{'l', 28, 2, 9999}}, "zip entry archive/data/0: goes past the end of the archive"},
    {false, {{'l', 6, 2, 2}}, "zip entry archive/data/0: its own header disagrees with the directory"},
    {false, {{'l', 14, 4, 7}}, "zip entry archive/data/0: its own header disagrees with the directory"},
    {false, {{0}}, "zip entry archive/data/0: is there twice"},
};

static void test_zip(void **state)
{
    struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        archive_make(&a, plain, 3, damages[i].zip64);
        for (size_t k = 0; k < 2 && damages[i].change[k].record; k++) {
            const char record = damages[i].change[k].record;
            const size_t n = a.n;
            a.n = (record == 'l'   ? a.local[1]
                   : record == 'c' ? a.central[1]
                   : record == 'w' ? a.wide
                   : record == 'L' ? a.locator
                                   : a.end) + damages[i].change[k].at;
            put(&a, damages[i].change[k].width, damages[i].change[k].to);
            a.n = n;
        }
        refused(scratch_file("made.bin", a.data, a.n), damages[i].says);
    }
    archive_make(&a, plain, 3, false);
    memcpy(a.data + a.central[2] + 42, a.data + a.central[1] + 42, 4); /* the place of the other */
    refused(scratch_file("made.bin", a.data, a.n), "zip entry archive/data/0: overlaps with archive/data/0");
    refused(scratch_file("made.bin", "PK\3\4", 4), "is too small for a zip archive");
}

/* ---- what torch.save() puts in an archive ----------------------------------------------------- */

static const struct {
    struct bytes part[6];
    const char *says;
} archives[] = {
    {{BYTES("a/data.pkl"), BYTES("\x80\2}."), BYTES("b/data.pkl"), BYTES("\x80\2}.")},
     "holds two archives in one: a/data.pkl and b/data.pkl"},
    {{BYTES("a/x"), BYTES("")}, "has no ARCHIVE/data.pkl"},
    {{BYTES("a/data.pkl"), BYTES(""), BYTES("a/constants.pkl"), BYTES("")}, "is a TorchScript program"},
    {{BYTES("a/data.pkl"), BYTES(""), BYTES("a/byteorder"), BYTES("0123456789abcdef")},
     "its byteorder is not known"},
    {{BYTES("a/data.pkl"), BYTES(""), BYTES("a/byteorder"), BYTES("big")}, "its byteorder is 'big'"},
    {{BYTES("a/data.pkl"), BYTES("\x80\2}.}")}, "something stands behind the pickle of a/data.pkl"},
    {{BYTES("a/data.pkl"), BYTES("\x80\2N.")}, "its pickle holds None, not a dictionary"},
    {{BYTES("a/data.pkl"), BYTES("\x80\2}.")}, "its pickle holds no tensors"},
    {{BYTES("a/data.pkl"), BYTES("\x80\2}K\1Ns.")}, "the name of a tensor is a number"},
    {{BYTES("a/data.pkl"), BYTES("\x80\2}\x8c\3x\0yNs.")}, "is too long, or holds a NUL"},
};

#define TEXT(length, text) "\x8c" length text
#define NAMED(key, type, elements)                                                                 \
    "(" TEXT("\7", "storage") "c" type "\n" TEXT("\1", key) TEXT("\3", "cpu") elements
#define STORAGE NAMED("0", "torch\nFloatStorage", "K\4") "tQ"
#define VIEW(view) NAMED("0", "torch\nFloatStorage", "K\4") view "tQ"
#define TENSOR(arguments) "ctorch._utils\n_rebuild_tensor_v2\n(" arguments "tR"
#define PLACED(first, sizes, strides) TENSOR(STORAGE first sizes strides "\x89N")
#define STATE(value) "\x80\2}" TEXT("\1", "w") value "s."
#define HUGE_SIZE "\x8a\x8\0\0\0\0\0\0\0\x40"

static const struct {
    struct bytes pickle;
    const char *says;
} tensors[] = {
    {BYTES(STATE("N")), "w: is None, not a tensor"},
    {BYTES(STATE("ctorch._utils\n_rebuild_tensor\n)R")),
     "w: is made by torch._utils._rebuild_tensor with 0 arguments"},
    {BYTES(STATE(TENSOR(STORAGE "K\0K\4\x85K\1\x85\x89NK\1"))), "w: has metadata"},
    {BYTES(STATE(TENSOR("NK\0))\x89N"))), "w: its storage is None"},
    {BYTES(STATE(TENSOR("N\x85QK\0))\x89N"))), "w: its storage is not named as torch.save() does"},
    {BYTES(STATE(TENSOR(NAMED("0", "collections\nOrderedDict", "K\4") "tQK\0))\x89N"))),
     "w: its storage is of type collections.OrderedDict"},
    {BYTES(STATE(TENSOR(NAMED("0", "torch\nFloatStorage", "N") "tQK\0))\x89N"))),
     "w: one of its sizes is None"},
    {BYTES(STATE(TENSOR(VIEW("K\1") "K\0))\x89N"))), "is a view that is not three values"},
    {BYTES(STATE(TENSOR(VIEW("NK\3K\2\x87") "K\0))\x89N"))), "is a view beyond the end of another"},
    {BYTES(STATE(PLACED("J\xff\xff\xff\xff", ")", ")"))), "w: one of its sizes is negative"},
    {BYTES(STATE(PLACED("K\0", "K\4\x85", ")"))), "its sizes and strides are not two lists"},
    {BYTES(STATE(PLACED("K\5", ")", ")"))), "w: starts beyond the end of its storage"},
    {BYTES(STATE(PLACED("K\0", HUGE_SIZE HUGE_SIZE "\x86", "K\0K\0\x86"))), "its sizes are too large"},
    {BYTES(STATE(PLACED("K\0", HUGE_SIZE "\x85", "K\0\x85"))), "w: its sizes are too large"},
    {BYTES(STATE(PLACED("K\0", "K\6\x85", "K\1\x85"))), "w: goes beyond the end of its storage"},
    {BYTES(STATE(PLACED("K\4", "K\1\x85", "K\1\x85"))), "w: goes beyond the end of its storage"},
    {BYTES(STATE(TENSOR(NAMED("1", "torch\nFloatStorage", "K\4") "tQK\0))\x89N"))),
     "w: its storage, a/data/1, is missing"},
    {BYTES(STATE(TENSOR(NAMED("0", "torch\nHalfStorage", "K\4") "tQK\0))\x89N"))),
     "w: its storage has 16 bytes, not 4 elements of F16"},
};

static void test_archives(void **state)
{
    struct archive a;
    (void)state;
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
        size_t n = 0;
        while (n < 3 && archives[i].part[2 * n].at)
            n++;
        archive_make(&a, archives[i].part, n, false);
        refused(scratch_file("made.bin", a.data, a.n), archives[i].says);
    }
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        const struct bytes part[] = {BYTES("a/data.pkl"), tensors[i].pickle, BYTES("a/data/0"),
                                     BYTES("0123456789abcdef")};
        archive_make(&a, part, 2, false);
        refused(scratch_file("made.bin", a.data, a.n), tensors[i].says);
    }
    /* a changed byte of the pickle; a tensor that is asked for more than it has */
    const struct bytes part[] = {BYTES("a/data.pkl"),
                                 BYTES(STATE(PLACED("K\0", "K\4\x85", "K\1\x85"))), BYTES("a/data/0"),
                                 BYTES("0123456789abcdef")};
    struct torch_file *f;
    unsigned char data[32];
    archive_make(&a, part, 2, false);
    assert_done(torch_open(&f, scratch_file("made.bin", a.data, a.n), &e), e);
    assert_refused(torch_read(f, torch_entry(f, 0), 0, 20, data, &e), e, "w: is shorter than asked");
    assert_int_equal(truncate(scratch_path("made.bin"), 50), 0);
    assert_refused(torch_read(f, torch_entry(f, 0), 0, 16, data, &e), e, "w: ends early: it was cut");
    torch_close(f);
    a.data[a.local[0] + 40 + 10] ^= 1;
    refused(scratch_file("made.bin", a.data, a.n), "zip entry a/data.pkl: its checksum is wrong");
}

/* ---- the form before it ----------------------------------------------------------------------- */

#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define VERSION "\x80\2M\xe9\3."
#define HEAD MAGIC VERSION "\x80\2}."
#define SCALAR(key, elements)                                                                      \
    TENSOR(NAMED(key, "torch\nFloatStorage", elements) "NtQK\0))\x89N")
#define ONE HEAD STATE(SCALAR("0", "K\1"))
#define KEYS(list) "\x80\2]" list "."
#define KEY(key) TEXT("\1", key) "a"
#define DATA_OF_ONE "\1\0\0\0\0\0\0\0wxyz"

static const struct {
    struct bytes file;
    const char *says;
} old[] = {
    {BYTES(MAGIC "\x80\2K\1."), "is of a version of torch.save() that is not known"},
    {BYTES(MAGIC VERSION "\x80\2}" TEXT("\15", "little_endian") "\x89s."), "by a big-endian machine"},
    {BYTES(ONE "\x80\2N."), "its list of storages is None"},
    {BYTES(ONE KEYS("Na")), "the name of storage 0 is None"},
    {BYTES(ONE KEYS(KEY("1"))), "storage 1 belongs to no tensor"},
    {BYTES(ONE KEYS(KEY("0") KEY("0")) DATA_OF_ONE), "storage 0 is there twice"},
    {BYTES(ONE KEYS(KEY("0")) "\1\0\0"), "ends before storage 0: it was cut"},
    {BYTES(ONE KEYS(KEY("0")) "\2\0\0\0\0\0\0\0wxyz"), "storage 0: has not the 1 elements of its tensors"},
    {BYTES(ONE KEYS(KEY("0")) "\1\0\0\0\0\0\0\0wxy"), "storage 0: has not the 1 elements of its tensors"},
    {BYTES(ONE KEYS("")), "w: its storage is missing"},
    {BYTES(ONE KEYS(KEY("0")) DATA_OF_ONE "!!"), "has 2 bytes behind its last storage"},
    {BYTES(HEAD "\x80\2}" TEXT("\1", "v") SCALAR("0", "K\1") "s" TEXT("\1", "w") SCALAR("0", "K\2") "s."
           KEYS(KEY("0")) DATA_OF_ONE), "sees its storage otherwise than "},
};

static void test_old(void **state)
{
    struct torch_file *f;
    static const char good[] = ONE KEYS(KEY("0")) DATA_OF_ONE;
    (void)state;
    assert_done(torch_open(&f, scratch_file("made.bin", good, sizeof good - 1), &e), e);
    torch_close(f);
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        refused(scratch_file("made.bin", old[i].file.at, old[i].file.n), old[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pickles), cmocka_unit_test(test_zip),
        cmocka_unit_test(test_archives), cmocka_unit_test(test_old),
    };
    return cmocka_run_group_tests_name("torch_errors", tests, scratch_setup, scratch_teardown);
}
