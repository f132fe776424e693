/* paper_data.c - what the paper published. f32 milliseconds / int8 milliseconds of its profiles, dynamic-range quantization.
 *
 * The two engines were not measured alike: TFLite warm, with one thread; ONNX Runtime one cold run per session, with its profiler
 * on and its default number of threads. So the columns of one engine can be compared with each other, those of different engines
 * cannot.
 */
#include <string.h>

#include "paper.h"

const char *const paper_source = "\"Does Quantization Improve Inference Speed? It Depends\" (NYU, 2025), published profiles";

const char *const paper_engines[PAPER_ENGINES] = {"TFLite", "ONNX Runtime"};
const char *const paper_machines[PAPER_MACHINES] = {"Haswell", "Skylake", "Cascade Lake", "Ice Lake", "Raspberry Pi 5"};
const char *const paper_stand_ins[PAPER_MACHINES] = {"avx2", "avx512", "avx512vnni", "avx512vnni", "neondot"};

const paper_model paper_models[PAPER_MODELS] = {
    /*                                        Haswell Skylake Cascade Ice   Pi 5 */
    {"MobileNetV2", "mobilenet_v2", 3.5, {{0.60, 0.43, 0.63, 0.69, 1.11}, {0.13, 0.12, 0.14, 0.16, 0.53}}},
    {"InceptionV3", "inception_v3", 23.8, {{0.94, 1.00, 4.30, 4.07, 3.04}, {0.34, 0.32, 0.38, 0.24, 1.13}}},
    {"ResNet50", "resnet50", 25.6, {{0.89, 0.99, 3.19, 3.22, 2.42}, {0.37, 0.33, 0.38, 0.21, 1.12}}},
    {"ResNet101", "resnet101", 44.5, {{1.12, 1.06, 3.82, 3.42, 2.97}, {0.34, 0.46, 0.39, 0.24, 1.33}}},
    {"ResNet152", "resnet152", 60.2, {{0.98, 1.06, 4.11, 3.51, 2.93}, {0.34, 0.31, 0.38, 0, 1.40}}},
    {"VGG16", "vgg16", 138.4, {{1.10, 1.28, 5.31, 4.89, 3.58}, {0.44, 0.45, 0.64, 0.31, 1.28}}},
    {"VGG19", "vgg19", 143.7, {{1.06, 1.30, 5.52, 5.14, 3.59}, {0.43, 0.48, 0.62, 0.27, 1.45}}},
};

enum { TFLITE, ORT };
enum { HASWELL, SKYLAKE, CASCADE_LAKE, ICE_LAKE, PI5 };

const char *paper_why_lost(int model, int engine, int where)
{
    if (engine == ORT)
        return "six unfused nodes per convolution there (ConvInteger, Cast, Mul, Add, Clip, DynamicQuantizeLinear), timed in one "
               "cold run";
    if (!strcmp(paper_models[model].network, "mobilenet_v2"))
        return "depthwise convolutions fell out of the fast path there (5.34 ms against 1.09 ms)";
    if (where == HASWELL || where == SKYLAKE)
        return "no VNNI there, and a strong float baseline";
    return "not told by the published profiles";
}
