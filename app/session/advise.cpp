#include "app/session/advise.h"

#include <algorithm>
#include <array>

#include "app/session/device_profiles.h"
#include "app/session/model_report.h"
#include "app/session/stored_runs.h"
#include "core/convert/artifact.h"

namespace phiscope::session {
namespace {

constexpr int64_t kUsualContext = 4096;

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& character : result) character = character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
  return result;
}

// "phi-3.5-mini" of "synthetic:phi-3.5-mini", "Phi-3.5-mini-instruct" and ".../Phi-3.5-mini-instruct-Q4.gguf": the longest published name in it.
std::string published_name(std::string_view name) {
  const std::string text = lower_case(name);
  std::string found;
  for (const SyntheticModel& known : synthetic_models())
    if (text.find(known.name) != std::string::npos && known.name.size() > found.size()) found = known.name;
  return found.empty() ? std::string(name) : found;
}

// A bare published name means its shape, whether or not the model is here.
std::string model_argument(const std::string& text) {
  const std::string name = lower_case(text);
  const auto& known = synthetic_models();
  const bool is_name = std::any_of(known.begin(), known.end(), [&](const SyntheticModel& model) { return model.name == name; });
  return is_name && !std::filesystem::exists(text) ? "synthetic:" + name : text;
}

struct Publication {
  std::string_view name, repository;
};
// Where a shape's weights are published (Hugging Face, organisation microsoft), for the commands.
constexpr std::array kPublications{
    Publication{"phi-1", "phi-1"},
    Publication{"phi-1.5", "phi-1_5"},
    Publication{"phi-2", "phi-2"},
    Publication{"phi-3-mini-4k", "Phi-3-mini-4k-instruct"},
    Publication{"phi-3-mini-128k", "Phi-3-mini-128k-instruct"},
    Publication{"phi-3.5-mini", "Phi-3.5-mini-instruct"},
    Publication{"phi-3-medium-4k", "Phi-3-medium-4k-instruct"},
    Publication{"phi-4", "phi-4"},
    Publication{"phi-4-mini", "Phi-4-mini-instruct"},
    Publication{"phi-3.5-moe", "Phi-3.5-MoE-instruct"},
    Publication{"phi-tiny-moe", "Phi-tiny-MoE-instruct"},
};

// A shape has no weights that a tool could convert: the commands name the folder of the published ones, and how to get it.
void name_folder(AdviceReport& report) {
  device::AdviceRequest& request = report.request;
  for (const Publication& row : kPublications) {
    if (request.model_argument != fmt::format("synthetic:{}", row.name)) continue;
    request.model_argument = row.repository;
    report.preparation = fmt::format("hf download microsoft/{0} --local-dir {0}", row.repository);
  }
}

Result<std::map<std::string, device::ModelShape>> known_shapes() {
  std::map<std::string, device::ModelShape> shapes;
  for (const SyntheticModel& known : synthetic_models()) {
    PHISCOPE_ASSIGN(const Plan plan, lower(known.config));
    shapes.emplace(known.name, device::shape_of(plan, known.name));
  }
  return shapes;
}

Result<std::vector<Run>> runs_of_model(Store& store, const std::string& argument, const std::string& hash) {
  RunFilter filter;
  filter.status = "done";
  PHISCOPE_ASSIGN(const std::vector<Run> all, store.list(filter));
  std::vector<Run> runs;
  for (const Run& run : all)
    if (run.model == argument || (!hash.empty() && run.model_hash == hash)) runs.push_back(run);
  return runs;
}

Result<std::string> newest_model(Store& store) {
  RunFilter filter;
  filter.limit = 1;
  PHISCOPE_ASSIGN(const std::vector<Run> runs, store.list(filter));
  if (runs.empty())
    return fail(ErrorCode::not_found, "no model was named and nothing was measured yet; for example: phiscope advise phi-4-mini --device raspberry-pi-5-8gb");
  return runs.front().model;
}

}  // namespace

Result<AdviceReport> advise(const AdviseOptions& options, const CallOptions& call) {
  AdviceReport report;
  device::AdviceRequest& request = report.request;
  for (const std::string& need : options.needs) PHISCOPE_TRY(device::add_need(request.needs, need));
  PHISCOPE_ASSIGN(const auto store, open_store(options.db));
  std::string argument = options.model;
  if (argument.empty()) {
    PHISCOPE_ASSIGN(argument, newest_model(*store));
  }
  request.model_argument = model_argument(argument);
  PHISCOPE_ASSIGN(const ModelReport model, inspect_model(request.model_argument));
  PHISCOPE_ASSIGN(const Plan plan, lower(model.config));
  request.model = device::shape_of(plan, published_name(model.name));
  request.context = options.context > 0 ? options.context : std::min(kUsualContext, plan.context);
  request.prompt = std::min(options.prompt, request.context);
  if (request.context > plan.context)
    return fail(ErrorCode::invalid_argument, "{} was made for {} positions; use --context {} or less", model.name, plan.context, plan.context);
  PHISCOPE_ASSIGN(request.runs, runs_of_model(*store, request.model_argument, model.hash));
  if (options.device.empty()) {
    PHISCOPE_ASSIGN(request.device, this_machine(call));
  } else {
    PHISCOPE_ASSIGN(request.device, find_device(options.device));
  }
  request.this_device = this_device_name();
  PHISCOPE_ASSIGN(request.published, device::read_published(datasets_folder() / "published.toml"));
  PHISCOPE_ASSIGN(request.known_shapes, known_shapes());
  PHISCOPE_ASSIGN(request.profiles, list_devices());
  report.model = request.model_argument;
  name_folder(report);
  report.advice = device::advise(request);
  return report;
}

}  // namespace phiscope::session
