#pragma once
// The layout of one safetensors file. Internal to core/format.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/format/tensor_file.h"

namespace phiscope {

/// Collects the tensors of one or more files and checks that no name comes twice.
class TensorFilesBuilder {
 public:
  Status add(std::shared_ptr<const MappedFile> file);
  std::shared_ptr<const TensorFiles> finish() { return std::move(files_); }
  const TensorFiles& files() const { return *files_; }

 private:
  std::shared_ptr<TensorFiles> files_ = std::make_shared<TensorFiles>();
};

}  // namespace phiscope
