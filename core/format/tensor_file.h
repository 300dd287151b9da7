#pragma once
// Readers of model files: names, types, shapes and bytes. Hostile input ends here: everything is checked before it is used.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/files.h"
#include "core/base/json.h"
#include "core/base/result.h"
#include "core/tensor/dtype.h"

namespace phiscope {

struct TensorEntry {
  std::string name;
  TensorView view;      // data points into the mapping
  int file = 0;         // index into TensorFiles::files()
  uint64_t offset = 0;  // of the data in that file
};

/// The tensors of one model, in one or many mapped safetensors files or in a GGUF file (gguf.h). Immutable; thread-safe; views live as long as the object.
class TensorFiles {
 public:
  /// One .safetensors file. Errors: invalid_file naming file, tensor and offset.
  static Result<std::shared_ptr<const TensorFiles>> open_file(const std::filesystem::path& path);
  /// model.safetensors, or model.safetensors.index.json with its shards. Errors: not_found naming the missing shard; unsupported with the
  /// command that converts it when the folder holds pytorch_model.bin, .h5, .tflite, .onnx only.
  static Result<std::shared_ptr<const TensorFiles>> open_folder(const std::filesystem::path& folder);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // in file order
  const TensorEntry* find(std::string_view name) const;
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Hash over names, types, shapes and content. Reads everything the first time for small models; for files above 64 MB it covers the
  /// headers, sizes and 1 MB samples of every tensor file plus modification time, so that opening a 100 GB model stays quick.
  std::string content_hash() const;

 private:
  friend class TensorFilesBuilder;
  std::vector<TensorEntry> tensors_;
  std::map<std::string, int, std::less<>> index_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<std::string, std::string> metadata_;
  mutable std::mutex hash_mutex_;
  mutable std::string hash_;  // content_hash() once computed
};

/// Writes one safetensors file, streaming: all names, types and shapes first, then the data in that order. Complete or absent (AtomicFile).
class SafetensorsWriter {
 public:
  struct Item {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
  };
  static Result<std::unique_ptr<SafetensorsWriter>> create(const std::filesystem::path& path, std::vector<Item> items,
                                                           const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsWriter();
  /// Appends bytes of the tensors' data in the declared order; a tensor may come in pieces.
  Status write(std::span<const std::byte> bytes);
  /// Error internal when bytes are missing.
  Status commit();

 private:
  SafetensorsWriter() = default;
  std::unique_ptr<AtomicFile> file_;
  uint64_t expected_ = 0, written_ = 0;
};

/// The safetensors name of a type ("F32", "BF16") and its inverse.
std::string_view safetensors_dtype(DType type);

}  // namespace phiscope
