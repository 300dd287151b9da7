#pragma once
// A small Phi-3 folder with random weights, written for one test.

#include <filesystem>
#include <functional>

#include "core/convert/artifact.h"

namespace phiscope::test {

struct TinyShape {
  int64_t hidden = 64, ffn = 96, layers = 2, vocab = 320;
  DType dtype = DType::bf16;
};
/// Writes config.json, model.safetensors and a tokenizer.json of no meaning.
void write_tiny_model(const std::filesystem::path& folder, const TinyShape& shape = {});
/// write_tiny_model + load_model; fails the test when it does not load.
Model tiny_model(const std::filesystem::path& folder, const TinyShape& shape = {});

/// A recipe that must parse.
Recipe recipe_of(std::string_view text);
/// Names in a folder, sorted.
std::vector<std::string> names_in(const std::filesystem::path& folder);
/// Changes one byte of a file; negative positions count from the end.
void flip_byte(const std::filesystem::path& path, int64_t position);

/// Weights of another source with one value replaced by NaN. That the loader looks for NaN in small models must not hide the maker's check.
std::shared_ptr<const WeightSource> with_nan(std::shared_ptr<const WeightSource> weights, int index, int64_t element);

}  // namespace phiscope::test
