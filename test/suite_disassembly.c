/* What the compiler made of the GEMM and depthwise kernels: no inner loop may store a vector register to the stack, or no more than
 * a comment in the kernel admits.
 *
 * Reads `objdump -d` of the object files beside the test program. An inner loop is the code from the target of a backward jump to
 * that jump, with no other backward jump inside; it counts when it holds at least four multiply-adds. `octet-test --filter
 * disassembly` also prints, for each file, how many of the instructions of its largest inner loop are multiply-adds.
 *
 * Judged for gcc: clang 14 keeps the sums of some narrow remainder tiles in registers and on the stack at once. */
#define _POSIX_C_SOURCE 200809L  /* popen */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define MAX_LINES 40000

typedef struct line {
    unsigned long address, target;   /* target: of a jump, else 0 */
    bool multiply_add, spill;
} line;

/* The inner loops of one file. */
typedef struct loop_report {
    int loops, spills;               /* how many there are; most stores of a vector register to the stack in one of them */
    int work, instructions;          /* of the one with most multiply-adds, among equals the shortest */
} loop_report;

static line lines[MAX_LINES];

static bool starts_with(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

static bool is_multiply_add(const char *op)
{
    static const char *const ops[] = {"vfmadd", "vpdpbusd", "vpdpwssd", "vpmaddwd", "vpmaddubsw",
                                      "fmla",   "sdot",     "smlal",    "smull",    "sadalp"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (starts_with(op, ops[i]))
            return true;
    return false;
}

/* x86: vmov* %ymm3,0x20(%rsp)      aarch64: str q3, [sp, #32]    stp q3, q4, [sp] */
static bool is_spill(const char *op, const char *operands)
{
    const char *comma = strchr(operands, ',');
    if (starts_with(op, "vmov") && (operands[1] == 'x' || operands[1] == 'y' || operands[1] == 'z'))
        return comma && (strstr(comma, "(%rsp") || strstr(comma, "(%rbp"));
    if (starts_with(op, "str") || starts_with(op, "stp"))
        return operands[0] == 'q' && (strstr(operands, "[sp") || strstr(operands, "[x29"));
    return false;
}

static bool is_jump(const char *op)
{
    return op[0] == 'j' || starts_with(op, "b.") || !strcmp(op, "b") || starts_with(op, "cb") || starts_with(op, "tb");
}

/* "  1a4:\tc5 fc 28 ... \tvmovaps %ymm0,%ymm1" */
static bool parse(const char *text, line *out)
{
    char op[32] = "", operands[256] = "";
    char *end;
    *out = (line){.address = strtoul(text, &end, 16)};
    if (*end != ':')
        return false;
    const char *code = strrchr(text, '\t');
    /* aarch64 separates operands by a tab too: the mnemonic is the third field */
    const char *first = strchr(text, '\t'), *second = first ? strchr(first + 1, '\t') : NULL;
    if (!code || !second)
        return false;
    sscanf(second + 1, "%31s %255[^\n]", op, operands);
    out->multiply_add = is_multiply_add(op);
    out->spill = is_spill(op, operands);
    /* What follows is for people, and may have commas: "e8 <name+0xe8>  // b.hs, b.nlast". */
    operands[strcspn(operands, "<")] = '\0';
    const char *last = strrchr(operands, ',');
    if (is_jump(op))
        out->target = strtoul(last ? last + 1 : operands, NULL, 16);
    return true;
}

static int find_line(int before, unsigned long address)
{
    for (int i = before; i >= 0; i--)
        if (lines[i].address <= address)
            return lines[i].address == address ? i : -1;
    return -1;
}

/* The inner loops with four multiply-adds or more in [0, count) are added to the report. */
static void inner_loops(int count, loop_report *report)
{
    for (int end = 0; end < count; end++) {
        if (!lines[end].target || lines[end].target > lines[end].address)
            continue;
        const int begin = find_line(end, lines[end].target);
        int work = 0, spilled = 0;
        bool innermost = begin >= 0;
        for (int i = begin; innermost && i <= end; i++) {
            work += lines[i].multiply_add;
            spilled += lines[i].spill;
            innermost = i == end || !lines[i].target || lines[i].target > lines[i].address;
        }
        if (!innermost || work < 4)
            continue;
        report->loops++;
        report->spills = spilled > report->spills ? spilled : report->spills;
        const int instructions = end - begin + 1;
        if (work > report->work || (work == report->work && instructions < report->instructions)) {
            report->work = work;
            report->instructions = instructions;
        }
    }
}

/* Disassembles one object file. Sections begin again at address 0, so each is searched by itself. */
static loop_report search(const char *objdump, const char *path)
{
    char command[1280], text[512];
    snprintf(command, sizeof command, "%s -d '%s' 2>/dev/null", objdump, path);
    FILE *pipe = popen(command, "r");
    loop_report report = {0};
    int count = 0;
    while (pipe && fgets(text, sizeof text, pipe)) {
        if (starts_with(text, "Disassembly of section")) {
            inner_loops(count, &report);
            count = 0;
        }
        if (count < MAX_LINES && parse(text, &lines[count]))
            count++;
    }
    inner_loops(count, &report);
    if (pipe)
        pclose(pipe);
    return report;
}

static const char *working_objdump(void)
{
#if defined(__aarch64__)
    static const char *const names[] = {"aarch64-linux-gnu-objdump", "objdump"};
#else
    static const char *const names[] = {"objdump", "x86_64-linux-gnu-objdump"};
#endif
    char command[128];
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", names[i]);
        if (system(command) == 0)
            return names[i];
    }
    return NULL;
}

/* An object file and how many registers a loop of it may spill. The AVX-512 integer depthwise kernels may spill four: the loop over
 * a tile of 5x5 keeps a line of interleaved columns and the sums of 128 results beyond what 32 registers hold, and parks four
 * narrowed results once per tile, not per product; the loops of 3x3 spill none. */
typedef struct kernel_file {
    const char *name;
    int spills;
} kernel_file;

static const kernel_file kernels[] = {
    {"avx2/gemm_f32_avx2", 0},
    {"avx2/gemm_u8s8_avx2", 0},
    {"avx2/gemm_s16_avx2", 0},
    {"avx2/depthwise_f32_avx2", 0},
    {"avx2/depthwise_u8s8_avx2", 0},
    {"avx512/gemm_f32_avx512", 0},
    {"avx512/gemm_u8s8_avx512", 0},
    {"avx512/gemm_s16_avx512", 0},
    {"avx512/depthwise_f32_avx512", 0},
    {"avx512/depthwise_u8s8_avx512", 4},
    {"avx512vnni/gemm_u8s8_avx512vnni", 0},
    {"avx512vnni/gemm_s16_avx512vnni", 0},
    {"avx512vnni/depthwise_u8s8_avx512vnni", 4},
    {"neon/gemm_f32_neon", 0},
    {"neon/gemm_u8s8_neon", 0},
    {"neon/gemm_s16_neon", 0},
    {"neon/depthwise_f32_neon", 0},
    {"neon/depthwise_u8s8_neon", 0},
    {"neon/depthwise_square_f32_neon", 0},
    {"neon/depthwise_3x3_u8s8_neon", 0},
    {"neondot/gemm_u8s8_neondot", 0},
    {"neondot/depthwise_3x3_u8s8_neondot", 0},
};

static void no_spills(void)
{
#if defined(__clang__)
    /* clang keeps the accumulators in registers but stores the sums of narrow f32 tiles on their way out. */
    test_skip("judged for gcc");
    return;
#endif
    const char *objdump = working_objdump();
    if (!objdump || test_is_sanitized()) {
        test_skip(objdump ? "sanitizers change the code" : "objdump is not installed");
        return;
    }
    int files = 0;
    for (int i = 0; i < TEST_COUNT(kernels); i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/obj/kernels/%s.o", test_build_dir(), kernels[i].name);
        if (access(path, R_OK) != 0)
            continue;
        const loop_report found = search(objdump, path);
        if (test_filtered())
            printf("%s    %-40s %4d of %4d instructions multiply and add (%d %%)\n", files ? "" : "\n", kernels[i].name, found.work,
                   found.instructions, found.instructions ? 100 * found.work / found.instructions : 0);
        CHECK_MSG(found.loops > 0, "%s: no inner loop found", path);
        CHECK_MSG(found.spills <= kernels[i].spills, "%s: one of %d inner loops stores %d vector registers to the stack", path,
                  found.loops, found.spills);
        files++;
    }
    CHECK(files > 0);
}

/* The reader itself: a loop with a spill is found, one without is not. */
static void reader_finds_spills(void)
{
    static const char *const code[] = {
        "  10:\tc5\tvmovups (%rdi),%ymm1",          "  14:\tc5\tvfmadd231ps %ymm1,%ymm2,%ymm3",
        "  18:\tc5\tvfmadd231ps %ymm1,%ymm2,%ymm4", "  1c:\tc5\tvfmadd231ps %ymm1,%ymm2,%ymm5",
        "  20:\tc5\tvmovaps %ymm3,0x20(%rsp)",      "  24:\tc5\tvfmadd231ps %ymm1,%ymm2,%ymm6",
        "  28:\t75\tjne    10 <kernel+0x10>",
    };
    int count = 0;
    loop_report with = {0}, without = {0};
    for (int i = 0; i < TEST_COUNT(code); i++)
        count += parse(code[i], &lines[count]);
    CHECK(count == TEST_COUNT(code));
    inner_loops(count, &with);
    CHECK(with.loops == 1 && with.spills == 1 && with.work == 4 && with.instructions == 7);
    lines[4].spill = false;
    inner_loops(count, &without);
    CHECK(without.loops == 1 && without.spills == 0);
    line arm;
    CHECK(parse("  b0:\t3d8007e3 \tstr\tq3, [sp, #16]", &arm) && arm.spill);
    CHECK(parse("  b4:\t54fffe81 \tb.ne\t98 <kernel+0x20>  // b.any", &arm) && arm.target == 0x98);
    CHECK(parse("  b8:\t54fffd42 \tb.cs\t38 <kernel+0x38>  // b.hs, b.nlast", &arm) && arm.target == 0x38);
    CHECK(parse("  bc:\tb5fff374 \tcbnz\tx20, 28 <kernel+0x28>", &arm) && arm.target == 0x28);
}

static const test_case cases[] = {
    {"no_spills", no_spills},
    {"reader_finds_spills", reader_finds_spills},
};
static void __attribute__((constructor)) add_suite(void) { test_register("disassembly", cases, TEST_COUNT(cases)); }
