#include "app/worker/jobs.h"
#include "core/convert/artifact.h"

namespace phiscope::worker {
namespace {

constexpr const char* kSizeRecipes[] = {"fp32", "bf16", "int8", "int4"};

Json model_json(const Plan& plan, const std::string& name) {
  return Json{{"name", name},          {"architecture", plan.architecture}, {"parameters", plan.parameters()}, {"layers", plan.layers},
              {"hidden_size", plan.hidden}, {"heads", plan.heads},          {"kv_heads", plan.kv_heads},       {"head_dim", plan.head_dim},
              {"vocab_size", plan.vocab},   {"context", plan.context}};
}

Json tensors_json(const Model& model) {
  Json rows = Json::array();
  if (model.files) {
    for (const TensorEntry& tensor : model.files->tensors())
      rows.push_back({{"name", tensor.name}, {"dtype", safetensors_dtype(tensor.view.dtype)}, {"shape", tensor.view.shape},
                      {"bytes", tensor.view.bytes()}});
    return rows;
  }
  for (size_t i = 0; i < model.plan->tensors.size(); ++i) {
    const PlanTensor& tensor = model.plan->tensors[i];
    const WeightEncoding encoding = model.weights->encoding(static_cast<int>(i));
    rows.push_back({{"name", tensor.name}, {"dtype", encoding.name()}, {"shape", {tensor.rows, tensor.columns}},
                    {"bytes", encoding.bytes(tensor.rows, tensor.columns)}});
  }
  return rows;
}

Json tokenizer_json(const std::filesystem::path& folder, Json& notices) {
  const auto tokenizer = Tokenizer::load(folder);
  if (!tokenizer) {
    notices.push_back(tokenizer.error().message);
    return Json();
  }
  const auto id_or_null = [](std::optional<int32_t> id) { return id ? Json(*id) : Json(); };
  return Json{{"kind", (*tokenizer)->kind()}, {"vocab_size", (*tokenizer)->vocab_size()}, {"bos", id_or_null((*tokenizer)->bos())},
              {"eos", id_or_null((*tokenizer)->eos())}};
}

/// What the matrices of the plan take in a recipe.
Json size_json(const Plan& plan, const WeightSource* source, const Recipe& recipe) {
  uint64_t bytes = 0, elements = 0;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlanTensor& tensor = plan.tensors[i];
    const WeightRule& rule = recipe.rule_for(tensor.tensor_class, tensor.name);
    const WeightEncoding encoding = rule.keep_source && source != nullptr ? source->encoding(static_cast<int>(i)) : rule.encoding;
    bytes += encoding.bytes(tensor.rows, tensor.columns);
    elements += static_cast<uint64_t>(tensor.rows) * static_cast<uint64_t>(tensor.columns);
  }
  return Json{{"recipe", recipe.name}, {"bytes", bytes},
              {"bits_per_weight", elements == 0 ? 0.0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements)}};
}

Json backends_json(const Plan& plan, const WeightSource& weights) {
  std::vector<WeightEncoding> encodings;
  for (size_t i = 0; i < plan.tensors.size(); ++i) encodings.push_back(weights.encoding(static_cast<int>(i)));
  Json rows = Json::array();
  for (const Backend* backend : backends()) {
    Support support = backend->available();
    if (support.ok) support = backend->supports(plan, encodings, OpenOptions{});
    rows.push_back({{"name", backend->name()}, {"ok", support.ok}, {"reason", support.reason}});
  }
  return rows;
}

Result<Model> model_of(const ModelReference& reference, Json& notices) {
  if (reference.kind == ModelReference::Kind::synthetic) {
    PHISCOPE_ASSIGN(const Recipe recipe, parse_recipe("int4"));  // the shape is what counts; this is the quickest to make
    return make_synthetic(reference.name, recipe);
  }
  if (reference.kind == ModelReference::Kind::folder) return load_model(reference.path);
  PHISCOPE_ASSIGN(const Artifact artifact, open_artifact(reference.path));
  notices.push_back(fmt::format("an artifact of recipe {}", artifact.recipe));
  Model model;
  model.name = reference.path.filename().string();
  model.folder = reference.path;
  model.plan = artifact.plan;
  model.weights = artifact.weights;
  model.hash = artifact.hash;
  return model;
}

}  // namespace

Result<Json> inspect_job(const Json& request, JobContext&) {
  PHISCOPE_ASSIGN(const std::string argument, json_string(request, "model", "worker request"));
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  Json notices = Json::array();
  PHISCOPE_ASSIGN(const Model model, model_of(reference, notices));
  for (const std::string& notice : model.notices) notices.push_back(notice);
  Json result{{"model", model_json(*model.plan, model.name)}, {"tensors", tensors_json(model)}};
  result["tokenizer"] = model.folder.empty() ? Json() : tokenizer_json(model.folder, notices);
  result["hash"] = model.hash;
  Json sizes = Json::array();
  for (const char* name : kSizeRecipes) {
    const auto recipe = parse_recipe(name);
    if (recipe) sizes.push_back(size_json(*model.plan, model.weights.get(), *recipe));
  }
  result["sizes"] = sizes;
  result["backends"] = backends_json(*model.plan, *model.weights);
  result["notices"] = notices;
  return result;
}

}  // namespace phiscope::worker
