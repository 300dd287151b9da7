// load_model of a GGUF file.

#include "core/base/hash.h"
#include "core/model/file_weights.h"
#include "core/model/gguf_config.h"
#include "core/model/gguf_names.h"

namespace phiscope {
namespace {

class Loader {
 public:
  Loader(const GgufFile& file, const ModelConfig& config) : files_(*file.tensors()), config_(config), where_(file.path().filename().string()) {}

  Result<Place> matrix(const PlanTensor& tensor) {
    PHISCOPE_ASSIGN(const Found found, find(tensor.name, tensor.rows));
    std::vector<int64_t> shape{found.rows, tensor.columns};
    if (found.expert >= 0) shape.insert(shape.begin(), config_.experts);
    if (found.entry == nullptr) return missing_tensor(where_, found.name, shape);
    PHISCOPE_TRY(check_shape(files_, *found.entry, shape));
    if (used_.insert(found.entry).second && checks_all_values(files_)) PHISCOPE_TRY(check_values(files_, *found.entry));
    return Place{found.entry, found.first_row + std::max<int64_t>(found.expert, 0) * tensor.rows};
  }

  Status vector(PlanVector& vector) {
    const auto size = static_cast<int64_t>(vector.values.size());
    PHISCOPE_ASSIGN(const Found found, find(vector.name, size));
    if (found.entry == nullptr) return missing_tensor(where_, found.name, std::vector<int64_t>{size});
    PHISCOPE_TRY(check_shape(files_, *found.entry, std::vector<int64_t>{found.rows}));
    used_.insert(found.entry);
    return read_vector(files_, *found.entry, found.first_row, vector.values);
  }

  std::vector<std::string> notices() {
    for (const std::string_view name : {kGgufFactorsLong, kGgufFactorsShort}) used_.insert(files_.find(name));
    return skipped_notices(files_, used_);
  }

 private:
  struct Found {
    std::string name;
    const TensorEntry* entry = nullptr;
    int64_t expert = -1;
    int64_t first_row = 0, rows = 0;  // of the plan's tensor in the file's, and how many that has
  };

  Result<Found> find(const std::string& plan_name, int64_t rows) const {
    const auto name = gguf_name(config_.architecture, plan_name);
    if (!name) return fail(ErrorCode::internal, "tensor '{}' has no name in GGUF files", plan_name);
    Found found{name->name, files_.find(name->name), name->expert, 0, rows};
    return found.entry == nullptr ? in_fused(plan_name, std::move(found)) : found;
  }

  /// Rows of q, k or v in a fused tensor, which has them in this order.
  Found in_fused(const std::string& plan_name, Found found) const {
    const int64_t width = config_.heads * config_.head_dim, kv_width = config_.kv_heads * config_.head_dim;
    for (const auto& [part, first_row] : {std::pair{".q_proj.", int64_t{0}}, {".k_proj.", width}, {".v_proj.", width + kv_width}}) {
      const size_t at = plan_name.find(part);
      if (at == std::string::npos) continue;
      const std::string fused = plan_name.substr(0, at) + ".qkv_proj." + plan_name.substr(at + std::string_view(part).size());
      const auto name = gguf_name(config_.architecture, fused);
      const TensorEntry* entry = name ? files_.find(name->name) : nullptr;
      if (entry != nullptr) return {name->name, entry, -1, first_row, width + 2 * kv_width};
    }
    return found;
  }

  const TensorFiles& files_;
  const ModelConfig& config_;
  const std::string where_;
  std::set<const TensorEntry*> used_;
};

}  // namespace

Result<Model> load_gguf(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const auto file, GgufFile::open(path));
  PHISCOPE_ASSIGN(GgufConfig read, read_gguf_config(*file));
  if (file->tensors()->tensors().empty())
    return fail(ErrorCode::invalid_file, "{}: holds a vocabulary and no tensors; 'phiscope tokenize' takes it, everything else needs a whole model", path.string());
  Model model;
  model.folder = path;
  model.config = std::move(read.config);
  model.name = model.config.name;
  model.files = file->tensors();
  PHISCOPE_ASSIGN(Plan plan, lower(model.config));
  Loader loader(*file, model.config);
  std::vector<Place> places;
  for (const PlanTensor& tensor : plan.tensors) {
    PHISCOPE_ASSIGN(const Place place, loader.matrix(tensor));
    places.push_back(place);
  }
  for (PlanVector& vector : plan.vectors) PHISCOPE_TRY(loader.vector(vector));
  model.notices = std::move(read.notices);
  for (std::string& notice : loader.notices()) model.notices.push_back(std::move(notice));
  model.weights = make_file_weights(model.files, std::move(places), plan.tensors);
  Hasher header;
  header.update(file->header());
  model.hash = hash_text(header.hex() + model.files->content_hash());
  model.plan = std::make_shared<const Plan>(std::move(plan));
  return model;
}

}  // namespace phiscope
