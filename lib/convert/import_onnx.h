/* import_onnx.h - the importer's way in for tests: a model that lies in memory. */
#ifndef OCT_IMPORT_ONNX_H
#define OCT_IMPORT_ONNX_H

#include "octet_convert.h"

/* As oct_import_onnx; `name` stands for the file in messages, `folder` is where side files may lie (NULL: none are allowed). */
oct_status oct_import_onnx_memory(const char *name, const char *folder, const void *bytes, size_t size,
                                  const oct_import_options *options, oct_graph **graph);

#endif
