/* hello - loads a model, feeds it one sample, prints the best class.   hello MODEL.oct [SAMPLE.f32] */
#include <octet.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    oct_model *model = NULL;
    oct_session *session = NULL;
    oct_tensor_info in, out;
    in.elements = out.elements = 0;
    int ok = argc > 1 && oct_model_load(argv[1], &model) == OCT_OK && oct_model_input(model, 0, &in) == OCT_OK &&
             oct_model_output(model, 0, &out) == OCT_OK && oct_session_create(model, NULL, &session) == OCT_OK;

    float *x = (float *)calloc(in.elements + 1, sizeof *x); /* zeros, unless there is a file */
    float *y = (float *)calloc(out.elements + 1, sizeof *y);
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (argc > 2)
        ok = ok && x && file && fread(x, sizeof *x, in.elements, file) == in.elements;

    ok = ok && x && y && oct_set_input(session, 0, x, in.bytes) == OCT_OK && oct_run(session) == OCT_OK &&
         oct_get_output(session, 0, y, out.bytes) == OCT_OK;
    size_t best = 0;
    for (size_t i = 1; ok && i < out.elements; i++)
        best = y[i] > y[best] ? i : best;
    if (ok)
        printf("class %zu (%g)\n", best, (double)y[best]);
    else
        fprintf(stderr, "hello: %s\n", *oct_error() ? oct_error() : "a model and one sample of float32 are needed");

    if (file)
        fclose(file);
    free(x);
    free(y);
    oct_session_free(session);
    oct_model_free(model);
    return !ok;
}
