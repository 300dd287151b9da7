#pragma once
// Golden models: a Hugging Face folder with what transformers computes for it (shared/fixtures/models/MANIFEST.md).

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/format/tensor_file.h"
#include "core/model/model.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {

/// All model fixtures: names of folders under models/.
inline constexpr const char* kGoldenModels[] = {"phi-1_5-tiny", "phi-2-tiny",         "phi-2-h80",    "phi-3-mini-tiny", "phi-3-medium-tiny", "phi-3-h80",
                                                "phi-3.5-mini-tiny", "phi-4-tiny", "phi-4-mini-tiny", "phi-3.5-moe-tiny", "phi-tiny-moe-tiny"};

class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& folder) {
    auto files = TensorFiles::open_file(folder / "golden.safetensors");
    if (!files) ADD_FAILURE() << files.error().message;
    else files_ = *files;
  }
  bool has(const std::string& name) const { return files_ && files_->find(name) != nullptr; }
  std::vector<float> floats(const std::string& name) const { return read<float>(name); }
  std::vector<int32_t> ids(const std::string& name) const { return read<int32_t>(name); }

 private:
  template <class T>
  std::vector<T> read(const std::string& name) const {
    const TensorEntry* entry = files_ ? files_->find(name) : nullptr;
    if (entry == nullptr) {
      ADD_FAILURE() << "golden file has no " << name;
      return {};
    }
    std::vector<T> values(static_cast<size_t>(entry->view.elements()));
    std::memcpy(values.data(), entry->view.data, values.size() * sizeof(T));
    return values;
  }
  std::shared_ptr<const TensorFiles> files_;
};

/// Lengths of the golden prompts that a file has logits for.
inline std::vector<int> golden_lengths(const GoldenFile& golden) {
  std::vector<int> lengths;
  for (const int length : {1, 7, 33, 60, 64, 65, 100})
    if (golden.has("p" + std::to_string(length) + ".input_ids")) lengths.push_back(length);
  return lengths;
}

inline float largest_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return std::numeric_limits<float>::infinity();
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // NaN too
  }
  return largest;
}

/// GoogleTest parameter names allow letters, digits and underscores.
inline std::string test_name(std::string name) {
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return name;
}

}  // namespace phiscope::test
