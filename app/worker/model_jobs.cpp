#include <fmt/format.h>

#include <cmath>

#include "app/worker/jobs.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/bench/engine_json.h"
#include "core/convert/exporter.h"

namespace phiscope::worker {

using namespace bench;

namespace {

constexpr const char* kWhere = "worker request";

ConvertOptions convert_options(const Json& request, JobContext& context) {
  ConvertOptions options;
  options.threads = request.value("threads", 0);
  options.on_progress = [&context](double fraction, std::string_view tensor) {
    context.progress(fraction, fmt::format("quantizing {}", tensor));
    return !context.cancel.cancelled();
  };
  return options;
}

Result<Recipe> recipe_field(const Json& request) {
  PHISCOPE_ASSIGN(const std::string text, json_string(request, "recipe", kWhere));
  PHISCOPE_ASSIGN(std::vector<Recipe> recipes, parse_recipes(text));
  if (recipes.size() != 1) return fail(ErrorCode::invalid_argument, "'{}' names {} recipes; give one", text, recipes.size());
  return std::move(recipes[0]);
}

Json tensors_json(const std::vector<ArtifactTensor>& rows) {
  Json tensors = Json::array();
  for (const ArtifactTensor& tensor : rows) {
    const Json sqnr = std::isfinite(tensor.error.sqnr_db) ? Json(tensor.error.sqnr_db) : Json();
    tensors.push_back({{"name", tensor.name}, {"format", tensor.encoding.name()}, {"mse", tensor.error.mse}, {"sqnr_db", sqnr},
                       {"max_abs_error", tensor.error.max_abs_error}, {"from_source", tensor.from_source}, {"bytes", tensor.bytes}});
  }
  return tensors;
}

std::string requantized_notice(const std::string& name, const std::string& how) {
  return fmt::format("{} was quantized already ({}); the errors of both add up, so the model that it was made from gives a better artifact", name, how);
}

double seconds_since(int64_t begin_ns) { return static_cast<double>(monotonic_ns() - begin_ns) * 1e-9; }

}  // namespace

Result<Json> identify_job(const Json& request, JobContext&) {
  PHISCOPE_ASSIGN(const std::string argument, json_string(request, "model", kWhere));
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  PHISCOPE_ASSIGN(const Backend* backend, pick_backend(json_string_or(request, "backend", "")));
  Json result{{"backend", backend->name()}, {"synthetic", false}, {"supports_fidelity", false}, {"model_hash", ""}, {"tokenizer_hash", ""}};
  if (reference.kind == ModelReference::Kind::synthetic) {
    result["synthetic"] = true;
  } else if (reference.kind == ModelReference::Kind::artifact) {
    PHISCOPE_ASSIGN(const Artifact artifact, open_artifact(reference.path));
    result["model_hash"] = artifact.source_hash;
  } else {
    PHISCOPE_ASSIGN(const Model model, load_model(reference.path));
    PHISCOPE_ASSIGN(const auto tokenizer, Tokenizer::load(reference.path));
    result["model_hash"] = model.hash;
    result["tokenizer_hash"] = tokenizer->hash();
    result["supports_fidelity"] = true;
  }
  return result;
}

Result<Json> prepare_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const std::string argument, json_string(request, "model", kWhere));
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  PHISCOPE_ASSIGN(const Recipe recipe, recipe_field(request));
  if (reference.kind != ModelReference::Kind::folder) return Json{{"made", false}, {"seconds", 0}, {"file_bytes", 0}};
  PHISCOPE_ASSIGN(const Model model, load_model(reference.path));
  bool made = false;
  const int64_t begin = monotonic_ns();
  PHISCOPE_ASSIGN(const Artifact artifact,
                  cached_artifact(model, recipe, platform::user_cache_folder(), convert_options(request, context), &made));
  return Json{{"made", made}, {"seconds", seconds_since(begin)}, {"file_bytes", artifact.file_bytes}};
}

namespace {

/// What a model would be under a recipe, from its headers.
struct PlannedModel {
  std::shared_ptr<const Plan> plan;
  std::vector<WeightEncoding> encodings;
};

/// `source(i)` = how tensor i is stored now.
PlannedModel under_recipe(std::shared_ptr<const Plan> plan, const Recipe& recipe, const std::function<WeightEncoding(int)>& source) {
  PlannedModel planned{std::move(plan), {}};
  for (size_t i = 0; i < planned.plan->tensors.size(); ++i) {
    const WeightRule& rule = recipe.rule_for(planned.plan->tensors[i].tensor_class, planned.plan->tensors[i].name);
    planned.encodings.push_back(rule.keep_source ? source(static_cast<int>(i)) : rule.encoding);
  }
  return planned;
}

Result<PlannedModel> plan_model(const ModelReference& reference, const Recipe& recipe) {
  if (reference.kind == ModelReference::Kind::artifact) {
    PHISCOPE_ASSIGN(const Artifact artifact, open_artifact(reference.path));
    return under_recipe(artifact.plan, recipe, [&](int i) { return artifact.weights->encoding(i); });
  }
  if (reference.kind == ModelReference::Kind::synthetic) {
    for (const SyntheticModel& synthetic : synthetic_models()) {
      if (!reference.name.ends_with(synthetic.name)) continue;
      PHISCOPE_ASSIGN(Plan plan, lower(synthetic.config));
      WeightEncoding source;
      source.float_type = synthetic.config.dtype;
      return under_recipe(std::make_shared<const Plan>(std::move(plan)), recipe, [&](int) { return source; });
    }
    return fail(ErrorCode::not_found, "there is no model {}", reference.name);
  }
  PHISCOPE_ASSIGN(const Model model, load_model(reference.path));
  return under_recipe(model.plan, recipe, [&](int i) { return model.weights->encoding(i); });
}

}  // namespace

Result<Json> forecast_job(const Json& request, JobContext&) {
  PHISCOPE_ASSIGN(const OpenBlock block, from_json<OpenBlock>(request));
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(block.model));
  PHISCOPE_ASSIGN(const Recipe recipe, recipe_field(request));
  PHISCOPE_ASSIGN(const Backend* backend, pick_backend(block.backend));
  PHISCOPE_ASSIGN(const PlannedModel model, plan_model(reference, recipe));
  OpenOptions options;
  options.context = std::min(block.context > 0 ? block.context : model.plan->context, model.plan->context);
  options.threads = block.threads;
  options.kv = recipe.kv;
  options.activation = recipe.activation;
  options.instruction_set = block.instruction_set;
  const Support support = backend->supports(*model.plan, model.encodings, options);
  if (!support.ok) return fail(ErrorCode::unsupported, "the {} backend cannot run {} in {}: {}", backend->name(), block.model, recipe.name, support.reason);
  const MemoryPlan memory = backend->memory_plan(*model.plan, model.encodings, options);
  return Json{{"total_bytes", memory.total()}, {"weights_bytes", memory.weights}, {"kv_bytes", memory.kv}, {"workspace_bytes", memory.workspace},
              {"context", options.context}, {"available_bytes", platform::system_memory().available}, {"known", true}};
}

Result<Json> quantize_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const std::string argument, json_string(request, "model", kWhere));
  PHISCOPE_ASSIGN(const std::string out, json_string(request, "out", kWhere));
  const std::string format = json_string_or(request, "format", "phiscope");
  PHISCOPE_ASSIGN(const Recipe recipe, recipe_field(request));
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(argument));
  const int64_t begin = monotonic_ns();
  Model model;
  std::vector<std::string> notices;
  if (reference.kind == ModelReference::Kind::synthetic) {
    PHISCOPE_ASSIGN(model, make_synthetic(argument.substr(argument.find(':') + 1), recipe));
  } else if (reference.kind == ModelReference::Kind::artifact) {
    PHISCOPE_ASSIGN(const Artifact source, open_artifact(reference.path));
    PHISCOPE_ASSIGN(model, model_of_artifact(source));
    if (recipe.base != "source") notices.push_back(requantized_notice(argument, source.recipe));
  } else {
    PHISCOPE_ASSIGN(model, load_model(reference.path));
    const std::string blocks = recipe.base == "source" ? "" : stored_blocks(model);
    if (!blocks.empty()) notices.push_back(requantized_notice(argument, blocks));
  }
  PHISCOPE_ASSIGN(ExportResult result, export_model(model, format, {recipe, out, convert_options(request, context)}));
  notices.insert(notices.end(), result.notices.begin(), result.notices.end());
  return Json{{"artifact", {{"path", result.path.string()}, {"bytes", result.bytes}, {"hash", result.hash}, {"recipe", result.recipe}}},
              {"seconds", seconds_since(begin)},
              {"tensors", tensors_json(result.tensors)},
              {"notices", notices},
              {"bits_per_weight", result.bits_per_weight}};
}

Result<Json> backends_job(const Json&, JobContext&) {
  Json rows = Json::array();
  for (const Backend* backend : backends()) {
    const Support support = backend->available();
    rows.push_back({{"name", backend->name()}, {"description", backend->description()}, {"ok", support.ok}, {"reason", support.reason}});
  }
  return Json{{"backends", rows}};
}

Result<Json> probe_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const Backend* backend, pick_backend(json_string_or(request, "backend", "")));
  context.progress(0, fmt::format("probing {}", backend->name()));
  PHISCOPE_ASSIGN(const std::vector<ProbeValue> values, backend->probe(request.value("threads", 0)));
  Json rows = Json::array();
  for (const ProbeValue& value : values) rows.push_back({{"id", value.id}, {"value", value.value}, {"unit", value.unit}});
  return Json{{"backend", backend->name()}, {"values", rows}};
}

}  // namespace phiscope::worker
