/* The instruction sets, as octet.h shows them: compiled means that this build has the kernels, available that CPU and operating
 * system can run them besides. The default is what dispatch picks when nobody asks: the strongest available. */
#include <string.h>

#include "kernels.h"
#include "status.h"

size_t oct_isa_count(void) { return oct_isa_level_count(); }

oct_status oct_isa(size_t index, oct_isa_info *info)
{
    if (!info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_isa: info is NULL");
    *info = (oct_isa_info){0};
    if (index >= oct_isa_level_count())
        return oct_fail(OCT_ERR_ARGUMENT, "oct_isa: instruction set %zu of %zu", index, oct_isa_level_count());
    const oct_isa_level *level = oct_isa_level_at(index);
    const oct_kernels *best = oct_kernels_get(NULL, ~0u);
    *info = (oct_isa_info){
        .name = level->name,
        .needs = level->needs,
        .compiled = level->compiled,
        .available = oct_kernels_get(level->name, ~0u) != NULL,
        .is_default = !strcmp(best->isa, level->name),
    };
    return OCT_OK;
}
