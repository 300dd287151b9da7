#include "core/quant/recipe.h"
#include "tests/fuzz/fuzz.h"

using namespace phiscope;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::filesystem::path path = fuzz::as_file(data, size, "fuzz.toml");
  const fuzz::MemoryLimit limit(size);
  const auto recipe = load_recipe_file(path);
  if (!recipe) {
    fuzz::check_error(recipe.error(), "fuzz.toml");
    return 0;
  }
  (void)recipe->rule_for(TensorClass::mlp_in, "model.layers.0.mlp.down_proj.weight");
  return 0;
}
