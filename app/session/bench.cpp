#include "app/session/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>

#include "app/session/commands.h"
#include "app/session/measuring_lock.h"
#include "app/session/memory_sampler.h"
#include "app/session/reference_cache.h"
#include "app/session/worker_engine.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/base/ulid.h"
#include "core/base/version.h"
#include "core/bench/engine_json.h"
#include "core/bench/schedule.h"
#include "core/convert/artifact.h"
#include "core/quant/recipe.h"
#include "core/store/store.h"

namespace phiscope::session {
namespace {

constexpr double kModelSeconds = 600;

/// A recipe as the worker gets it, and its canonical name.
struct RecipeChoice {
  std::string text, name;
};

Result<std::vector<RecipeChoice>> recipe_choices(const std::string& text) {
  PHISCOPE_ASSIGN(const std::vector<Recipe> recipes, parse_recipes(text));
  std::vector<RecipeChoice> choices;
  // A recipe file may say more than a name can: the worker reads it again.
  for (const Recipe& recipe : recipes) choices.push_back({recipes.size() == 1 && text.ends_with(".toml") ? text : recipe.name, recipe.name});
  return choices;
}

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("_-./:,=@+~").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

/// What a user types to measure the same again.
std::string command_of(const BenchRequest& request) {
  std::string command = "phiscope bench";
  for (const std::string& model : request.models) command += " " + shell_word(model);
  command += " --recipe " + shell_word(request.recipes);
  if (!request.backends.empty()) command += " --backend " + shell_word(fmt::format("{}", fmt::join(request.backends, ",")));
  command += " --suite " + shell_word(request.suite);
  for (const std::string& task : request.task_files) command += " --task " + shell_word(task);
  if (request.threads > 0) command += fmt::format(" --threads {}", request.threads);
  if (request.interleave) command += *request.interleave ? " --interleave" : " --no-interleave";
  return command;
}

/// What one group of runs shares: a model on a backend.
struct Group {
  std::string model, backend;
  std::string model_hash, tokenizer_hash;
  bool has_fidelity = false;
  std::map<std::string, std::string> environment;     // probe values
  std::vector<std::optional<double>> quantize_s;      // per recipe, when the artifact was made now
  ReferenceFiles reference;
  std::vector<uint64_t> forecast_bytes;
};

class Bench {
 public:
  Bench(const BenchRequest& request, const BenchEvents& events, const CancelToken* cancel)
      : request_(request), events_(events), cancel_(cancel) {}

  Result<BenchResult> run() {
    PHISCOPE_TRY(check_request());
    PHISCOPE_TRY(lock());
    for (const std::string& model : request_.models)
      for (const std::string& backend : backends_)
        if (!is_cancelled()) run_group(model, backend);
    result_.cancelled = is_cancelled();
    return std::move(result_);
  }

 private:
  bool is_cancelled() const { return cancel_ != nullptr && cancel_->cancelled(); }

  void notice(const std::string& sentence) const {
    if (events_.on_notice) events_.on_notice(sentence);
  }

  CallOptions options(const std::string& model, const std::string& backend, const std::string& recipe) {
    CallOptions o;
    o.cancel = cancel_;
    o.on_log = events_.on_log;
    o.progress = [this, model, backend, recipe](double, std::string_view what) { tell(model, backend, recipe, 0, what); };
    return o;
  }

  /// `done` = finished share of the group's runs, in runs.
  void tell(const std::string& model, const std::string& backend, const std::string& recipe, double done, std::string_view what) {
    const double all = static_cast<double>(total_runs_);
    fraction_ = std::max(fraction_, std::min(1.0, (static_cast<double>(finished_before_) + done) / all));
    if (!events_.on_progress) return;
    const auto index = std::min<int64_t>(total_runs_ - 1, finished_before_ + static_cast<int64_t>(done));
    events_.on_progress({index, total_runs_, model, recipe, backend, std::string(what), fraction_});
  }

  Status check_request();
  Status lock();
  void run_group(const std::string& model, const std::string& backend);
  Group prepare(const std::string& model, const std::string& backend);
  void prepare_artifacts(Group& group, WorkerClient& client);
  void run_candidates(const Group& group, size_t first, size_t count, const std::string& interleave_id);
  /// Empty when the recipes may take turns, else why not.
  std::string why_not_interleave(const Group& group) const;
  Run new_run(const Group& group, const RecipeChoice& recipe) const;
  void save(Run run);

  const BenchRequest& request_;
  const BenchEvents& events_;
  const CancelToken* cancel_;
  bench::Suite suite_;
  std::vector<RecipeChoice> recipes_;
  std::vector<std::string> backends_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<platform::FileLock> lock_;
  int64_t total_runs_ = 0, finished_before_ = 0;
  double fraction_ = 0;
  BenchResult result_;
  std::string bench_id_ = make_ulid();  // shared by the runs of one call
};

Status Bench::check_request() {
  if (request_.models.empty()) return fail(ErrorCode::invalid_argument, "no model was named; try bundled:tiny-phi");
  PHISCOPE_ASSIGN(suite_, bench::load_suite(request_.suite, datasets_folder()));
  if (!request_.fidelity) suite_.fidelity.clear();
  if (!request_.tasks) suite_.tasks.clear();
  for (const std::string& task : request_.task_files) PHISCOPE_TRY(bench::add_task_argument(suite_, task));
  PHISCOPE_ASSIGN(recipes_, recipe_choices(request_.recipes));
  CallOptions plain;
  plain.cancel = cancel_;
  plain.on_log = events_.on_log;
  PHISCOPE_ASSIGN(const std::vector<BackendDescription> known, list_backends(plain));
  std::vector<std::string> names;
  for (const BackendDescription& backend : known) names.push_back(backend.name);
  backends_ = request_.backends;
  for (const std::string& name : backends_) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = nearest_name(name, names);
    return fail(ErrorCode::invalid_argument, "there is no backend '{}'{}; {} exist", name, near.empty() ? "" : fmt::format(", did you mean '{}'", near),
                fmt::join(names, ", "));
  }
  for (const BackendDescription& backend : known)
    if (backends_.empty() && backend.available.ok) backends_.push_back(backend.name);
  if (backends_.empty()) return fail(ErrorCode::unsupported, "no backend can run on this machine; see phiscope doctor");
  total_runs_ = static_cast<int64_t>(request_.models.size() * backends_.size() * recipes_.size());
  PHISCOPE_ASSIGN(store_, Store::open(request_.database.empty() ? Store::default_path() : request_.database));
  return {};
}

Status Bench::lock() {
  const std::string what = fmt::format("phiscope bench of {}", fmt::join(request_.models, ", "));
  PHISCOPE_ASSIGN(lock_, take_measuring_lock(what, events_.on_notice, cancel_));
  return {};
}

Group Bench::prepare(const std::string& model, const std::string& backend) {
  Group group;
  group.model = model;
  group.backend = backend;
  group.quantize_s.resize(recipes_.size());
  group.forecast_bytes.resize(recipes_.size());
  WorkerOptions worker;
  worker.on_log = events_.on_log;
  auto client = WorkerClient::start(std::move(worker));
  const auto refuse = [&](const Error& error) { group.reference.reason = error.message; };
  if (!client) {
    refuse(client.error());
    return group;
  }
  auto identity = (*client)->request("identify", {{"model", model}, {"backend", backend}}, kModelSeconds, {}, cancel_);
  if (!identity) {
    refuse(identity.error());
    return group;
  }
  group.model_hash = json_string_or(*identity, "model_hash", "");
  group.tokenizer_hash = json_string_or(*identity, "tokenizer_hash", "");
  group.has_fidelity = identity->value("supports_fidelity", false) && !suite_.fidelity.empty();
  if (!group.has_fidelity) group.reference.reason = "this model has no reference";
  prepare_artifacts(group, **client);
  if (suite_.probe && !is_cancelled()) {
    const auto probe = (*client)->request("probe", {{"backend", backend}, {"threads", request_.threads}}, kModelSeconds, {}, cancel_);
    double best = 0;
    for (const Json& row : probe ? probe->value("values", Json::array()) : Json::array())
      if (json_string_or(row, "id", "").starts_with("read_gb_s")) best = std::max(best, row.value("value", 0.0));
    if (best > 0) group.environment["probe.read_gb_s"] = format_number(best, 5);
  }
  return group;
}

/// In a process of its own, so that the memory of quantizing is not in any run's peak.
void Bench::prepare_artifacts(Group& group, WorkerClient& client) {
  const bench::OpenBlock block{group.model, "", group.backend, request_.threads, bench::context_needed(suite_), request_.instruction_set, false};
  for (size_t r = 0; r < recipes_.size() && !is_cancelled(); ++r) {
    const auto on_message = [&](const Json& message) {
      tell(group.model, group.backend, recipes_[r].name, 0, json_string_or(message, "what", "preparing"));
    };
    const Json fields{{"model", group.model}, {"recipe", recipes_[r].text}, {"threads", request_.threads}};
    const auto made = client.request("prepare", fields, kModelSeconds, on_message, cancel_);
    // An error is met again, and recorded, when the run opens its model.
    if (made && made->value("made", false)) group.quantize_s[r] = made->value("seconds", 0.0);
    Json forecast = bench::to_json(block);
    forecast["recipe"] = recipes_[r].text;
    const auto bytes = client.request("forecast", forecast, kModelSeconds, {}, cancel_);
    if (bytes && bytes->value("known", false)) group.forecast_bytes[r] = bytes->value("total_bytes", uint64_t{0});
  }
}

std::string Bench::why_not_interleave(const Group& group) const {
  if (request_.interleave) return *request_.interleave ? "" : "--no-interleave was given";
  uint64_t total = 0;
  for (size_t r = 0; r < group.forecast_bytes.size(); ++r) {
    if (group.forecast_bytes[r] == 0) return fmt::format("the memory that {} needs is not known beforehand", recipes_[r].name);
    total += group.forecast_bytes[r];
  }
  const uint64_t available = platform::system_memory().available;
  if (total <= available / 2) return {};
  return fmt::format("all precisions together need {}, half of the available memory is {}", format_bytes(total), format_bytes(available / 2));
}

void Bench::run_group(const std::string& model, const std::string& backend) {
  Group group = prepare(model, backend);
  if (group.has_fidelity && !is_cancelled()) {
    const ReferenceRequest reference{model, group.model_hash, group.tokenizer_hash, backend, request_.instruction_set, request_.threads,
                                     bench::context_needed(suite_)};
    group.reference = reference_files(reference, suite_, options(model, backend, "fp32"));
    if (group.reference.files.empty() && !is_cancelled()) notice(group.reference.reason);
  }
  if (is_cancelled()) return;
  const std::string why_not = recipes_.size() < 2 ? "there is one recipe" : why_not_interleave(group);
  if (why_not.empty()) {
    run_candidates(group, 0, recipes_.size(), make_ulid());
  } else {
    if (recipes_.size() > 1) notice(fmt::format("the precisions are measured one after the other, not in turns: {}", why_not));
    for (size_t r = 0; r < recipes_.size() && !is_cancelled(); ++r) run_candidates(group, r, 1, "");
  }
}

Run Bench::new_run(const Group& group, const RecipeChoice& recipe) const {
  Run run;
  run.run_id = make_ulid();
  run.started_at = iso_time(unix_ms());
  run.model = group.model;
  run.model_hash = group.model_hash;
  run.tokenizer_hash = group.tokenizer_hash;
  run.recipe = recipe.name;
  run.requested = recipe.name;
  run.backend = group.backend;
  run.suite = suite_.name;
  run.suite_hash = suite_.hash;
  run.threads = request_.threads;
  run.device = platform::cpu_info().model;
  run.app_version = kVersion;
  run.environment = group.environment;
  run.environment["bench.id"] = bench_id_;
  run.environment["command"] = command_of(request_);
  run.environment["suite.version"] = std::to_string(suite_.version);
  return run;
}

void Bench::save(Run run) {
  if (const Status saved = store_->save(run); !saved && !result_.store_error) result_.store_error = saved.error();
  if (events_.on_run_finished) events_.on_run_finished(run);
  result_.runs.push_back(std::move(run));
}

void Bench::run_candidates(const Group& group, size_t first, size_t count, const std::string& interleave_id) {
  std::vector<std::unique_ptr<WorkerEngine>> engines;
  std::vector<std::unique_ptr<MemorySampler>> samplers;
  std::vector<bench::Candidate> candidates;
  for (size_t r = first; r < first + count; ++r) {
    Run run = new_run(group, recipes_[r]);
    if (!interleave_id.empty()) run.environment["interleave.id"] = interleave_id;
    WorkerOptions worker;
    worker.on_log = events_.on_log;
    const int64_t begin_ns = monotonic_ns();
    auto client = WorkerClient::start(std::move(worker));
    if (!client) {
      bench::end_run(run, client.error(), false);
      save(std::move(run));
      ++finished_before_;
      continue;
    }
    samplers.push_back(std::make_unique<MemorySampler>((*client)->process_id(), begin_ns));
    engines.push_back(std::make_unique<WorkerEngine>(std::move(*client), cancel_));
    bench::Candidate candidate;
    candidate.engine = engines.back().get();
    candidate.block = {group.model, recipes_[r].text, group.backend, request_.threads, bench::context_needed(suite_), request_.instruction_set,
                       group.has_fidelity};
    candidate.run = std::move(run);
    candidate.reference_hidden = group.reference.files;
    candidate.reference_floors = group.reference.floors;
    candidate.reference_reason = group.reference.reason;
    candidate.quantize_s = group.quantize_s[r];
    candidate.begin_ns = begin_ns;
    candidate.conditions = [id = engines.back()->client().process_id()] { return bench::read_conditions(id); };
    candidates.push_back(std::move(candidate));
  }
  std::vector<double> shares(candidates.size(), 0);
  bench::Hooks hooks;
  hooks.is_cancelled = [this] { return is_cancelled(); };
  hooks.on_progress = [&](size_t i, double fraction, std::string_view what) {
    shares[i] = fraction;
    double done = 0;
    for (const double share : shares) done += share;
    tell(group.model, group.backend, candidates[i].run.recipe, done, what);
  };
  hooks.on_finished = [&](size_t i) {
    candidates[i].run.series.push_back(samplers[i]->stop());
    engines[i].reset();
    save(std::move(candidates[i].run));
  };
  bench::run_suite(candidates, suite_, hooks);
  finished_before_ += static_cast<int64_t>(candidates.size());
}

}  // namespace

bool BenchResult::all_done() const {
  return std::all_of(runs.begin(), runs.end(), [](const Run& run) { return run.status == RunStatus::done; });
}

Result<BenchResult> run_bench(const BenchRequest& request, const BenchEvents& events, const CancelToken* cancel) {
  return Bench(request, events, cancel).run();
}

}  // namespace phiscope::session
