#pragma once
// Reads the structure of a GGUF file front to back. Internal to core/format.

#include <cstring>
#include <set>

#include "core/format/gguf.h"

namespace phiscope {

std::string_view gguf_type_name(GgufType type);
/// 0 for strings and arrays.
uint64_t gguf_type_bytes(GgufType type);
/// The number of a tensor's type in files; nullopt for types that GGUF does not have.
std::optional<uint32_t> gguf_tensor_type(DType dtype, BlockType block);

class GgufReader {
 public:
  explicit GgufReader(std::shared_ptr<const MappedFile> mapped);
  Result<std::shared_ptr<const GgufFile>> run();

 private:
  struct TensorInfo {
    TensorEntry entry;
    uint64_t data_offset = 0, bytes = 0, info_offset = 0;
  };

  uint64_t left() const { return bytes_.size() - at_; }
  template <class T>
  Result<T> read(std::string_view what);
  Result<std::string_view> read_string(const std::string& what);
  Status read_head(uint64_t& tensors, uint64_t& pairs);
  Status read_pair();
  Status skip_value(GgufPair& pair, const std::string& where);
  Status skip_elements(const GgufPair& pair, const std::string& where);
  Status check_alignment();
  Status check_split() const;
  Result<TensorInfo> read_tensor();
  Status read_shape(TensorInfo& info, const std::string& where);
  Status read_type(TensorInfo& info, const std::string& where);
  Status place_tensors(std::vector<TensorInfo> infos);

  std::shared_ptr<GgufFile> out_;
  std::span<const std::byte> bytes_;
  std::string file_;
  uint64_t at_ = 0, alignment_ = 32;
};

}  // namespace phiscope
