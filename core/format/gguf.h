#pragma once
// GGUF containers, versions 2 and 3, little-endian: metadata pairs and tensors of one mapped file. What keys and names mean is for others.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/format/tensor_file.h"

namespace phiscope {

/// By its name, and no folder.
bool is_gguf(const std::filesystem::path& path);

/// Numbers as in files.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct GgufPair {
  std::string key;
  GgufType type = GgufType::u8;  // of the value, or of the elements of an array
  bool is_array = false;
  uint64_t count = 1;            // elements
  uint64_t offset = 0;           // of the first element in the file
  uint64_t bytes = 0;            // of all elements; strings with their lengths
};

/// Immutable; thread-safe. Private memory is below the file's size plus 64 MB whatever the file claims.
class GgufFile {
 public:
  /// Checks the whole structure: counts, lengths, types, UTF-8 and uniqueness of keys and names, tensors without gap or overlap inside the
  /// file. Errors: invalid_file naming file, key or tensor, and offset; unsupported for other versions, byte orders, tensor types, split files.
  static Result<std::shared_ptr<const GgufFile>> open(const std::filesystem::path& path);

  uint32_t version() const { return version_; }
  const std::filesystem::path& path() const { return mapped_->path(); }
  const std::vector<GgufPair>& pairs() const { return pairs_; }
  const GgufPair* find(std::string_view key) const;
  std::span<const std::byte> value_bytes(const GgufPair& pair) const { return mapped_->bytes().subspan(pair.offset, pair.bytes); }
  /// Names as in the file; shapes slowest dimension first, as everywhere in Phiscope.
  const std::shared_ptr<const TensorFiles>& tensors() const { return tensors_; }
  /// Everything before the tensors' data: counts, pairs, tensor infos.
  std::span<const std::byte> header() const { return mapped_->bytes().first(header_bytes_); }

  // Values; nullopt or an empty list where the key is absent. Errors: invalid_file naming file, key, offset and what was expected.
  Result<std::optional<int64_t>> integer(std::string_view key, int64_t low, int64_t high) const;
  Result<std::optional<double>> number(std::string_view key) const;  // any number type; finite
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::string_view>> text(std::string_view key) const;
  Result<std::vector<std::string_view>> texts(std::string_view key, uint64_t most) const;
  Result<std::vector<float>> floats(std::string_view key, uint64_t most) const;
  Result<std::vector<int64_t>> integers(std::string_view key, uint64_t most) const;

 private:
  friend class GgufReader;
  GgufFile() = default;
  Result<const GgufPair*> array(std::string_view key, GgufType type, uint64_t most) const;

  std::shared_ptr<const MappedFile> mapped_;
  std::vector<GgufPair> pairs_;  // in file order
  std::map<std::string_view, size_t> index_;
  std::shared_ptr<const TensorFiles> tensors_;
  uint32_t version_ = 0;
  size_t header_bytes_ = 0;
};

}  // namespace phiscope
