#pragma once
// The layout of one safetensors file, and how readers fill TensorFiles. Internal to core/format.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/format/tensor_file.h"

namespace phiscope {

/// Collects the tensors of one or more files and checks that no name comes twice.
class TensorFilesBuilder {
 public:
  /// One safetensors file.
  Status add(std::shared_ptr<const MappedFile> file);
  /// The tensors that another reader found in `file`; their `file` is set here.
  Status add(std::shared_ptr<const MappedFile> file, std::vector<TensorEntry> entries);
  std::shared_ptr<const TensorFiles> finish() { return std::move(files_); }
  const TensorFiles& files() const { return *files_; }

 private:
  std::shared_ptr<TensorFiles> files_ = std::make_shared<TensorFiles>();
};

}  // namespace phiscope
