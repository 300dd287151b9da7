#include <set>

#include "core/base/hash.h"
#include "core/format/gguf.h"
#include "core/model/file_weights.h"
#include "core/model/legacy_names.h"

namespace phiscope {
namespace {

// Other names of the same tensor, tried in this order: Phi-4-multimodal (text weights beside its adapters), transformers 5 for phimoe.
struct Alias {
  std::string_view from, to;
};
constexpr Alias kAliases[] = {
    {".weight", ".base_layer.weight"},
    {".block_sparse_moe.gate.weight", ".mlp.router.weight"},
};

// Experts as transformers 5 stacks them: [experts, 2 * ffn, hidden] (gate rows first) and [experts, hidden, ffn].
struct Stacked {
  std::string_view part, name;
  int64_t parts, index;  // matrices per expert in the stack, and which of them this is
};
constexpr Stacked kStacked[] = {
    {".w1.weight", "gate_up_proj", 2, 0}, {".w3.weight", "gate_up_proj", 2, 1}, {".w2.weight", "down_proj", 1, 0}};

const TensorEntry* find_by_name(const TensorFiles& files, const std::string& name) {
  if (const TensorEntry* entry = files.find(name)) return entry;
  for (const Alias& alias : kAliases) {
    if (!name.ends_with(alias.from)) continue;
    const std::string other = name.substr(0, name.size() - alias.from.size()) + std::string(alias.to);
    if (const TensorEntry* entry = files.find(other)) return entry;
  }
  return nullptr;
}

// "model.layers.0.block_sparse_moe.experts.3.w1.weight" in "model.layers.0.mlp.experts.gate_up_proj".
Result<Place> find_stacked(const TensorFiles& files, const PlanTensor& tensor, int64_t experts) {
  constexpr std::string_view kExperts = ".block_sparse_moe.experts.";
  const size_t at = tensor.name.find(kExperts);
  if (at == std::string::npos) return Place{};
  for (const Stacked& stacked : kStacked) {
    if (!tensor.name.ends_with(stacked.part)) continue;
    const TensorEntry* entry = files.find(tensor.name.substr(0, at) + ".mlp.experts." + std::string(stacked.name));
    if (entry == nullptr) return Place{};
    PHISCOPE_TRY(check_shape(files, *entry, std::vector<int64_t>{experts, stacked.parts * tensor.rows, tensor.columns}));
    const int64_t expert = std::stoll(tensor.name.substr(at + kExperts.size()));
    return Place{entry, (expert * stacked.parts + stacked.index) * tensor.rows};
  }
  return Place{};
}

std::string folder_of(const TensorFiles& files) { return files.files().front()->path().parent_path().string(); }

// A matrix, or a vector when `columns` is 0, by its older name; no entry when the model has the usual names or the file lacks it.
Result<Place> find_legacy(const TensorFiles& files, const std::string& name, int64_t rows, int64_t columns, const ModelConfig& config) {
  if (!config.legacy_names) return Place{};
  const LegacyTensor legacy = legacy_tensor(name, rows, config);
  const TensorEntry* entry = files.find(legacy.name);
  if (entry == nullptr) return Place{};
  PHISCOPE_TRY(check_shape(files, *entry, columns > 0 ? std::vector<int64_t>{legacy.rows, columns} : std::vector<int64_t>{legacy.rows}));
  return Place{entry, legacy.first_row};
}

Result<Place> find_matrix(const TensorFiles& files, const PlanTensor& tensor, const ModelConfig& config) {
  const std::vector<int64_t> shape{tensor.rows, tensor.columns};
  if (const TensorEntry* entry = find_by_name(files, tensor.name)) {
    PHISCOPE_TRY(check_shape(files, *entry, shape));
    return Place{entry, 0};
  }
  PHISCOPE_ASSIGN(Place place, find_stacked(files, tensor, config.experts));
  if (place.entry == nullptr) {
    PHISCOPE_ASSIGN(place, find_legacy(files, tensor.name, tensor.rows, tensor.columns, config));
  }
  if (place.entry == nullptr) return missing_tensor(folder_of(files), tensor.name, shape);
  return place;
}

Status fill_vector(const TensorFiles& files, const ModelConfig& config, PlanVector& vector, std::set<const TensorEntry*>& used) {
  const std::vector<int64_t> shape{static_cast<int64_t>(vector.values.size())};
  Place place{find_by_name(files, vector.name), 0};
  if (place.entry != nullptr) {
    PHISCOPE_TRY(check_shape(files, *place.entry, shape));
  } else {
    PHISCOPE_ASSIGN(place, find_legacy(files, vector.name, shape[0], 0, config));
  }
  if (place.entry == nullptr) return missing_tensor(folder_of(files), vector.name, shape);
  used.insert(place.entry);
  return read_vector(files, *place.entry, place.first_row, vector.values);
}

Result<Model> load_folder(const std::filesystem::path& folder) {
  Model model;
  model.folder = folder;
  PHISCOPE_ASSIGN(model.config, load_config(folder));
  model.name = model.config.name;
  PHISCOPE_ASSIGN(model.files, TensorFiles::open_folder(folder));
  const TensorFiles& files = *model.files;
  if (files.tensors().empty()) return fail(ErrorCode::invalid_file, "{}: its safetensors files hold no tensors", folder.string());

  PHISCOPE_ASSIGN(Plan plan, lower(model.config));
  std::set<const TensorEntry*> used;
  std::vector<Place> places;
  for (const PlanTensor& tensor : plan.tensors) {
    PHISCOPE_ASSIGN(const Place place, find_matrix(files, tensor, model.config));
    if (checks_all_values(files) && used.insert(place.entry).second) PHISCOPE_TRY(check_values(files, *place.entry));
    used.insert(place.entry);
    places.push_back(place);
  }
  for (PlanVector& vector : plan.vectors) PHISCOPE_TRY(fill_vector(files, model.config, vector, used));
  model.notices = skipped_notices(files, used);
  model.weights = make_file_weights(model.files, std::move(places), plan.tensors);
  PHISCOPE_ASSIGN(const std::string config_text, read_file(folder / "config.json"));
  model.hash = hash_text(hash_text(config_text) + files.content_hash());
  model.plan = std::make_shared<const Plan>(std::move(plan));
  return model;
}

}  // namespace

Result<Model> load_model(const std::filesystem::path& path) {
  return is_gguf(path) ? load_gguf(path) : load_folder(path);
}

}  // namespace phiscope
