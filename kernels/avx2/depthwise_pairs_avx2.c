/* depthwise_pairs_avx2.c - the loops of the integer depthwise kernels (depthwise_pairs_avx2.h draws them).
 *
 *   for each image, for each strip of output rows         input of a strip: about STRIP_BYTES
 *       for each chunk of 16 to 64 channels            their ring of pair rows: about RING_BYTES
 *           for each row of the strip
 *               make the pair rows it lacks; compute it, block by block
 */
#include "depthwise_pairs_avx2.h"

enum { STRIP_BYTES = 256 * 1024, STRIP_ROWS = 8, RING_BYTES = 24 * 1024, MAX_BLOCKS = 8 };

/* Scratch memory is used in units of a vector. */
static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* --------------------------------------------------------------------------------------------- packing ---- */

/* | acc_bias[8] | mult[8] | bias[8] | weights, parity 0 | parity 1 | */
static size_t block_bytes(const pair_method *method, const oct_conv_shape *s)
{
    return BLOCK_WEIGHTS + (method->set_elements(s, 0) + method->set_elements(s, 1)) * sizeof(int16_t);
}

size_t oct_pairs_packed_bytes_avx2(const pair_method *method, const oct_conv_shape *s)
{
    return block_count(s->in_c) * block_bytes(method, s);
}

int16_t *oct_pairs_pack_block_avx2(const pair_method *method, const oct_conv_shape *s, const oct_depthwise_params *params, size_t b,
                                   void *packed, size_t *c)
{
    char *block = (char *)packed + b * block_bytes(method, s);
    *c = block_channel(s->in_c, b);
    /* an f32 output needs the bias, a u8 output has it in acc_bias */
    memcpy(block, params->acc_bias + *c, 8 * sizeof(int32_t));
    memcpy(block + BLOCK_MULT, params->mult + *c, 8 * sizeof(float));
    memset(block + BLOCK_BIAS, 0, 8 * sizeof(float));
    if (params->bias)
        memcpy(block + BLOCK_BIAS, params->bias + *c, 8 * sizeof(float));
    return (int16_t *)(void *)(block + BLOCK_WEIGHTS);
}

/* ----------------------------------------------------------------------------------------------- rings ---- */

/* Slots of one ring: enough for a window, and a power of two, so that finding a slot needs no division. */
static size_t ring_length(const oct_conv_shape *s)
{
    size_t length = 1;
    while (length < pair_count(s, 1))
        length *= 2;
    return length;
}

/* One ring per row modulo the dilation. */
static size_t slot_count(const oct_conv_shape *s) { return ring_length(s) * s->dilation_h; }

/* Blocks in a chunk: 8 fill whole cache lines of input and output, if the ring then stays in L1. */
static size_t chunk_blocks(const oct_conv_shape *s, size_t block_elements)
{
    /* a ring of one block, in bytes */
    const size_t ring = slot_count(s) * block_elements * sizeof(int16_t);
    size_t blocks = MAX_BLOCKS;
    while (blocks > 2 && blocks * ring > RING_BYTES)
        blocks /= 2;
    return blocks;
}

size_t oct_pairs_scratch_bytes_avx2(const pair_method *method, const oct_conv_shape *s)
{
    const size_t block = method->block_elements(s);
    return round_up(slot_count(s) * sizeof(size_t), 32) + slot_count(s) * chunk_blocks(s, block) * block * sizeof(int16_t);
}

/* The rings of one chunk of one image, and what does not change from row to row. */
typedef struct pair_rings {
    const pair_method *method;
    const oct_conv_shape *shape;
    const uint8_t *image;
    uint8_t zero;
    size_t first, blocks;       /* of the chunk */
    size_t block_elements, slot_elements, length, slots_in_all;
    size_t *keys;               /* pair + 1; 0: nothing */
    int16_t *slots;
} pair_rings;

/* Empty rings in the scratch memory: keys, then slots. */
static pair_rings rings_of(const pair_method *method, const oct_conv_shape *s, uint8_t zero, void *scratch)
{
    pair_rings rings = {.method = method, .shape = s, .zero = zero, .block_elements = method->block_elements(s), .keys = scratch};
    rings.blocks = chunk_blocks(s, rings.block_elements);
    rings.slot_elements = rings.blocks * rings.block_elements;
    rings.length = ring_length(s);
    rings.slots_in_all = slot_count(s);
    rings.slots = (int16_t *)(void *)((char *)scratch + round_up(rings.slots_in_all * sizeof(size_t), 32));
    return rings;
}

/* Channel c of image row y (which has wrapped to a huge number above the image). */
static row_source source_of(const pair_rings *rings, size_t y, size_t c, const uint8_t *outside)
{
    const oct_conv_shape *s = rings->shape;
    if (y >= s->in_h)
        return (row_source){outside, 0};
    return (row_source){rings->image + y * s->in_w * s->in_c + c, s->in_c};
}

/* Two blocks at a time where their channels are neighbours. */
static void make_pair(const pair_rings *rings, size_t phase, size_t pair, int16_t *slot)
{
    const oct_conv_shape *s = rings->shape;
    /* a row outside the image is these 16 bytes, again and again */
    uint8_t outside[16];
    memset(outside, rings->zero, sizeof(outside));
    const size_t y = 2 * pair * s->dilation_h + phase - s->pad_top;
    pair_fill fill = {.shape = s, .zero = rings->zero, .to = slot, .block_elements = rings->block_elements};
    for (size_t i = 0; i < rings->blocks; i += fill.blocks, fill.to += fill.blocks * rings->block_elements) {
        const size_t c = block_channel(s->in_c, rings->first + i);
        fill.blocks = i + 1 < rings->blocks && block_channel(s->in_c, rings->first + i + 1) == c + 8 ? 2 : 1;
        fill.a = source_of(rings, y, c, outside);
        fill.b = source_of(rings, y + s->dilation_h, c, outside);
        rings->method->fill(&fill);
    }
}

/* Makes sure that `count` pairs, from `pair` on, of the rows that are `phase` mod dilation are in their slots; returns the first
 * slot. */
static const int16_t *get_pairs(const pair_rings *rings, size_t phase, size_t pair, size_t count)
{
    for (size_t k = pair; k < pair + count; k++) {
        const size_t slot = phase * rings->length + (k & (rings->length - 1));
        if (rings->keys[slot] != k + 1)
            make_pair(rings, phase, k, rings->slots + slot * rings->slot_elements);
        rings->keys[slot] = k + 1;
    }
    return rings->slots + (phase * rings->length + (pair & (rings->length - 1))) * rings->slot_elements;
}

/* --------------------------------------------------------------------------------------------- the loops ---- */

/* The output of one strip. */
typedef struct strip_output {
    const pixel_format *format;
    const char *packed;
    size_t block_bytes, set_elements;
    char *out;                  /* its first pixel, channel 0 */
    size_t row_bytes, element_bytes;
} strip_output;

/* Output row oy, number `index` of the strip, of one chunk. */
static void run_row(const pair_rings *rings, const strip_output *o, size_t oy, size_t index)
{
    const oct_conv_shape *s = rings->shape;
    /* 1. Which pairs the window touches, and where in the first one it begins. */
    const size_t v = oy * s->stride_h;
    const size_t row = s->dilation_h == 1 ? v : v / s->dilation_h, phase = v - row * s->dilation_h, parity = row % 2;
    pair_row r = {.shape = s, .pairs = pair_count(s, parity), .slot_elements = rings->slot_elements, .format = o->format};
    /* 2. Make those that are missing. */
    r.first = get_pairs(rings, phase, row / 2, r.pairs);
    r.ring = rings->slots + phase * rings->length * rings->slot_elements;
    r.ring_end = r.ring + rings->length * rings->slot_elements;
    /* 3. Block by block. */
    r.block = o->packed + rings->first * o->block_bytes;
    for (size_t i = 0; i < rings->blocks; i++) {
        r.weights = (const int16_t *)(const void *)(r.block + BLOCK_WEIGHTS) + parity * o->set_elements;
        r.out = o->out + index * o->row_bytes + block_channel(s->in_c, rings->first + i) * o->element_bytes;
        rings->method->row(&r);
        r.block += o->block_bytes;
        r.first += rings->block_elements;
        r.ring += rings->block_elements;
        r.ring_end += rings->block_elements;
    }
}

/* Output rows [oy, end) of image number n. */
static void run_strip(const pair_rings *whole, const oct_depthwise_job *job, const pixel_format *format, const char *packed,
                      size_t n, size_t oy, size_t end)
{
    const oct_conv_shape *s = job->shape;
    const size_t blocks = block_count(s->in_c);
    pair_rings rings = *whole;
    rings.image = (const uint8_t *)job->in + n * s->in_h * s->in_w * s->in_c;
    strip_output o = {.format = format, .packed = packed, .block_bytes = block_bytes(rings.method, s),
                      .set_elements = rings.method->set_elements(s, 0)};
    o.out = pixel_at(&job->e, (n * s->out_h + oy) * s->out_w, 0);
    o.element_bytes = format->elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    o.row_bytes = s->out_w * job->e.out_ld * o.element_bytes;
    for (; rings.first < blocks; rings.first += whole->blocks) {
        /* a new chunk: other channels, so nothing in the rings is of use */
        rings.blocks = blocks - rings.first < whole->blocks ? blocks - rings.first : whole->blocks;
        memset(rings.keys, 0, rings.slots_in_all * sizeof(size_t));
        for (size_t y = oy; y < end; y++)
            run_row(&rings, &o, y, y - oy);
    }
}

void oct_pairs_run_avx2(const pair_method *method, const oct_depthwise_job *job, const void *packed, size_t row_begin,
                        size_t row_end, void *scratch)
{
    const oct_conv_shape *s = job->shape;
    const pixel_format format = pixel_format_of(&job->e);
    const pair_rings rings = rings_of(method, s, job->in_zero, scratch);
    size_t strip = STRIP_BYTES / (s->stride_h * s->in_w * s->in_c);
    if (strip < STRIP_ROWS)
        strip = STRIP_ROWS;
    for (size_t row = row_begin; row < row_end;) {
        /* up to the end of the image, of the call, of a strip */
        const size_t n = row / s->out_h, oy = row % s->out_h;
        size_t rows = s->out_h - oy;
        rows = rows < row_end - row ? rows : row_end - row;
        rows = rows < strip ? rows : strip;
        run_strip(&rings, job, &format, packed, n, oy, oy + rows);
        row += rows;
    }
}
