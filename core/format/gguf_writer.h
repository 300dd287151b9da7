#pragma once
// Writes GGUF files, version 3, little-endian: metadata first, then the tensors' data, streaming. What keys and names mean is for others.

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/format/gguf.h"
#include "core/tensor/dtype.h"

namespace phiscope {

/// Metadata pairs in the order in which they are added; keys must be unique (the writer checks).
class GgufMetadata {
 public:
  void add_u32(std::string_view key, uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_text(std::string_view key, std::string_view value);
  void add_texts(std::string_view key, std::span<const std::string> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_i32s(std::string_view key, std::span<const int32_t> values);

 private:
  friend class GgufWriter;
  void begin(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType type, size_t count);
  void append(const void* bytes, size_t count);
  void append_text(std::string_view text);

  std::string bytes_;
  std::vector<std::string> keys_;
};

/// One tensor of the file: floats of `dtype`, or blocks along the last dimension. Shape slowest dimension first, as everywhere in Phiscope.
struct GgufTensor {
  std::string name;
  std::vector<int64_t> shape;
  DType dtype = DType::f32;
  BlockType block = BlockType::none;

  uint64_t bytes() const;
};

/// Complete or absent (AtomicFile). Not thread-safe.
class GgufWriter {
 public:
  /// Writes everything before the data. Errors: invalid_argument for repeated keys or names, a name of 64 bytes or more, a type that GGUF does
  /// not have, rows that are no whole number of blocks; io.
  static Result<std::unique_ptr<GgufWriter>> create(const std::filesystem::path& path, const GgufMetadata& metadata, std::vector<GgufTensor> tensors);
  /// Appends bytes of the tensors' data in the declared order; a tensor may come in pieces, a piece ends with its tensor at the latest. The
  /// padding between tensors is added.
  Status write(std::span<const std::byte> bytes);
  /// Error internal when bytes are missing.
  Status commit();

 private:
  GgufWriter() = default;
  std::unique_ptr<AtomicFile> file_;
  std::vector<uint64_t> sizes_;  // of the tensors, not padded
  size_t tensor_ = 0;
  uint64_t written_ = 0;  // of tensor_
};

}  // namespace phiscope
