#pragma once
// All matrices of a plan in packed form, in private memory or mapped from the packed cache.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backends/cpu/packed_weights.h"
#include "backends/cpu/pool.h"
#include "core/backend/backend.h"
#include "core/base/files.h"
#include "core/tensor/dtype.h"

namespace phiscope::cpu {

class PackedModel {
 public:
  /// Packs tensor by tensor (every source tensor is released after it) into private memory, or into a cache file that is then mapped, or
  /// maps the file that is there. Tensors that are only read as an embedding are not packed. A cache that cannot be written does not
  /// stop the load: note() says why. Errors: those of the source, of packed_shape, cancelled.
  static Result<std::unique_ptr<PackedModel>> load(const Plan& plan, const WeightSource& weights, const OpenOptions& options, Pool& pool);
  /// One tensor in private memory (the reference's head).
  static Result<std::unique_ptr<PackedModel>> load_tensor(const Plan& plan, const WeightSource& weights, int tensor, Pool& pool);

  const PackedMatrix& matrix(int tensor) const { return matrices_[static_cast<size_t>(tensor)]; }
  uint64_t private_bytes() const;
  const std::string& note() const { return note_; }
  uint64_t mapped_bytes() const { return mapping_ == nullptr ? 0 : mapping_->bytes().size(); }

 private:
  Result<AlignedBuffer> pack(const WeightSource& weights, int tensor, Pool& pool) const;
  Status pack_and_keep(const WeightSource& weights, int tensor, Pool& pool);
  Status load_from_cache(const std::filesystem::path& folder, const WeightSource& weights, const std::function<Status(int)>& progress, Pool& pool);

  std::vector<PackedMatrix> matrices_;   // index = tensor; data null when not packed
  std::vector<AlignedBuffer> buffers_;
  std::shared_ptr<const MappedFile> mapping_;
  std::string note_;
};

/// True for tensors that a linear, an expert, a router or the head multiplies with.
std::vector<bool> multiplied_tensors(const Plan& plan);
/// out [columns] = one row, as dequantize_row gives it.
/// Not for blocks of a file: their tables are read from the file.
void read_packed_row(const PackedMatrix& matrix, int64_t row, float* out);

}  // namespace phiscope::cpu
