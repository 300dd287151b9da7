#pragma once
// A plan's matrices and vectors on the mapping of a model's files. Internal to core/model.

#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model.h"

namespace phiscope {

/// A matrix inside a file.
struct Place {
  const TensorEntry* entry = nullptr;
  int64_t first_row = 0;  // of a stack, or of fused matrices; rows are those of the matrix, whatever the tensor's shape
};

/// For error sentences: the file that holds the tensor.
std::string file_of(const TensorFiles& files, const TensorEntry& entry);

/// Errors: invalid_file naming file, tensor and offset when the type is none of a weight's, or the shape another than `expected`.
Status check_shape(const TensorFiles& files, const TensorEntry& entry, std::span<const int64_t> expected);
/// Errors: invalid_file naming file, tensor, element and offset of the first value that is NaN or infinite.
Status check_values(const TensorFiles& files, const TensorEntry& entry);
/// Matrices of files up to a size are searched for NaN and infinity at loading; of larger ones the quantizer and the packing do it.
bool checks_all_values(const TensorFiles& files);

/// `count` values of a vector from element `first` on, checked. Errors as check_values, and for types that are not floating.
Status read_vector(const TensorFiles& files, const TensorEntry& entry, int64_t first, std::span<float> out);

/// not_found naming what was looked for.
tl::unexpected<Error> missing_tensor(const std::string& where, const std::string& name, std::span<const int64_t> shape);

/// The plan's matrices straight on the mapping. places[i] belongs to tensors[i].
std::shared_ptr<const WeightSource> make_file_weights(std::shared_ptr<const TensorFiles> files, std::vector<Place> places,
                                                      const std::vector<PlanTensor>& tensors);

/// "skipped 12 vision tensors ('a', ...)": what the files hold and the text model does not use.
std::vector<std::string> skipped_notices(const TensorFiles& files, const std::set<const TensorEntry*>& used);

/// load_model of a .gguf file (load_gguf.cpp).
Result<Model> load_gguf(const std::filesystem::path& path);

}  // namespace phiscope
