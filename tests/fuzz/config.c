/* Fuzzing of config.json: what is accepted has tensors whose names and shapes are understood. */
#include <stdio.h>

#include "file.h"
#include "json.h"
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct model m;
    json_t *json = json_parse((const char *)data, n, "fuzz", NULL);
    if (json && !model_parse(&m, json, NULL)) {
        size_t count = model_tensor_count(&m);
        for (size_t i = 0; i < count && i < 200; i++) {
            enum model_role role, again;
            size_t layer, layer_again;
            char name[160];
            model_tensor_at(&m, i, &role, &layer, name, sizeof name);
            if (model_tensor_role(&m, name, &again, &layer_again, NULL) || again != role ||
                layer_again != layer)
                abort();
        }
        model_parameters(&m, true);
    }
    json_decref(json);
    return 0;
}
