#pragma once
// weights.safetensors while it is written: order, alignment and hash of its content. Internal to core/convert.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/convert/artifact_layout.h"

namespace phiscope {

/// First the plan's vectors, then the tensors that are not the source's. Every item begins at a multiple of 8 bytes: where the one before
/// ends elsewhere, an item "padding.N" lies between (safetensors allows no gaps).
class WeightsFile {
 public:
  static Result<std::unique_ptr<WeightsFile>> create(const std::filesystem::path& path, const Plan& plan,
                                                     const std::vector<ArtifactTensor>& tensors);
  /// Content of one item, complete or a further piece of it; items come in order.
  Status write(std::span<const std::byte> bytes);
  /// The hash of all content, once complete.
  Result<std::string> commit();

 private:
  Status write_raw(std::span<const std::byte> bytes);

  std::unique_ptr<SafetensorsWriter> writer_;
  std::vector<uint64_t> item_ends_;  // of real items, in bytes of real content
  std::vector<uint64_t> paddings_;   // after each of them
  size_t item_ = 0;
  uint64_t written_ = 0;  // real content
  Hasher hasher_;
};

}  // namespace phiscope
