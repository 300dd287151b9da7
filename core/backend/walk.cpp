#include "core/backend/walk.h"

#include <algorithm>
#include <fstream>

#include "core/base/ulid.h"

namespace phiscope {
namespace {

/// Some tensors of a source under indices of their own.
class StageWeights : public WeightSource {
 public:
  StageWeights(std::shared_ptr<const WeightSource> source, std::vector<int> tensors) : source_(std::move(source)), tensors_(std::move(tensors)) {}
  Result<Weight> tensor(int index) const override { return source_->tensor(tensors_[static_cast<size_t>(index)]); }
  WeightEncoding encoding(int index) const override { return source_->encoding(tensors_[static_cast<size_t>(index)]); }
  void release(int index) const override { source_->release(tensors_[static_cast<size_t>(index)]); }
  std::string hash() const override {
    const std::string whole = source_ ? source_->hash() : std::string{};
    return whole.empty() ? whole : fmt::format("{}:{}", whole, fmt::join(tensors_, ","));
  }

 private:
  std::shared_ptr<const WeightSource> source_;
  std::vector<int> tensors_;
};

/// Copies what a stage keeps of a plan, giving its tensors new indices.
class StageBuilder {
 public:
  explicit StageBuilder(const Plan& plan) : whole_(plan), plan_(plan) {
    plan_.tensors.clear();
    plan_.phases.clear();
    plan_.layers = 0;
    plan_.embedding = plan_.head = -1;
    plan_.final_norm = {};
  }
  int tensor(int index) {
    if (index < 0) return index;
    const auto found = std::find(tensors_.begin(), tensors_.end(), index);
    if (found != tensors_.end()) return static_cast<int>(found - tensors_.begin());
    tensors_.push_back(index);
    plan_.tensors.push_back(whole_.tensors[static_cast<size_t>(index)]);
    return static_cast<int>(tensors_.size()) - 1;
  }
  void add(Phase phase) {
    for (std::vector<Linear>* linears : {&phase.linears, &phase.expert_gate, &phase.expert_up, &phase.expert_down})
      for (Linear& linear : *linears) linear.tensor = tensor(linear.tensor);
    phase.router = tensor(phase.router);
    plan_.phases.push_back(std::move(phase));
  }
  void add_all(PhaseKind kind) {
    for (const Phase& phase : whole_.phases)
      if (phase.kind == kind) add(phase);
  }
  Plan& plan() { return plan_; }
  Stage finish(std::shared_ptr<const WeightSource> weights) {
    return {std::make_shared<const Plan>(std::move(plan_)), std::make_shared<StageWeights>(std::move(weights), std::move(tensors_))};
  }

 private:
  const Plan& whole_;
  Plan plan_;
  std::vector<int> tensors_;
};

/// Residual rows of all windows between two stages. Its pages belong to the system's file cache, not to the process.
class StateFile {
 public:
  static Result<std::unique_ptr<StateFile>> create(const std::filesystem::path& folder) {
    auto file = std::make_unique<StateFile>();
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    file->path_ = folder / ("walk-" + make_ulid() + ".f32");
    file->stream_.open(file->path_, std::ios::in | std::ios::out | std::ios::binary | std::ios::trunc);
    if (!file->stream_) return fail(ErrorCode::io, "{} cannot be created; it keeps states between layers", file->path_.string());
    // Open but without a name: it is gone whatever ends the process. Where a system keeps the name, the destructor removes it.
    std::filesystem::remove(file->path_, problem);
    return file;
  }
  ~StateFile() {
    stream_.close();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Status write(int64_t first, std::span<const float> values) {
    stream_.seekp(first * static_cast<int64_t>(sizeof(float)));
    stream_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
    return check("written");
  }
  Status read(int64_t first, std::span<float> values) {
    stream_.seekg(first * static_cast<int64_t>(sizeof(float)));
    stream_.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
    return check("read");
  }

 private:
  Status check(std::string_view what) {
    stream_.flush();
    if (stream_) return {};
    return fail(ErrorCode::io, "states between layers could not be {} in {}; is the disk full?", what, path_.parent_path().string());
  }

  std::filesystem::path path_;
  std::fstream stream_;
};

class Walker {
 public:
  Walker(const Walk& walk, std::span<const std::span<const int32_t>> windows, StateFile& file) : walk_(walk), windows_(windows), file_(file) {
    int64_t first = 0;
    for (const auto& window : windows) {
      firsts_.push_back(first);
      first += static_cast<int64_t>(window.size()) * walk.plan->hidden;
      longest_ = std::max(longest_, static_cast<int64_t>(window.size()));
    }
  }

  Status embed() {
    PHISCOPE_ASSIGN(const auto session, open(embedding_stage(*walk_.plan, walk_.weights)));
    return each_window(-1, [&](size_t window, std::span<float> states) -> Status {
      PHISCOPE_TRY(session->truncate(0));
      PHISCOPE_TRY(session->append(windows_[window], states));
      return keep(-1, window, states);
    });
  }

  Status layer(int64_t layer) {
    PHISCOPE_ASSIGN(const auto session, open(layer_stage(*walk_.plan, walk_.weights, layer)));
    return each_window(layer, [&](size_t window, std::span<float> states) -> Status {
      PHISCOPE_TRY(session->truncate(0));
      PHISCOPE_TRY(file_.read(firsts_[window], states));
      PHISCOPE_TRY(session->append_states(states, states));
      return keep(layer, window, states);
    });
  }

  Status finish(const HiddenCallback& on_hidden) {
    PHISCOPE_ASSIGN(const auto session, open(norm_stage(*walk_.plan)));
    return each_window(walk_.plan->layers, [&](size_t window, std::span<float> states) -> Status {
      PHISCOPE_TRY(session->truncate(0));
      PHISCOPE_TRY(file_.read(firsts_[window], states));
      PHISCOPE_TRY(session->append_states(states, states));
      return on_hidden(window, states);
    });
  }

 private:
  Result<std::unique_ptr<Session>> open(const Stage& stage) const {
    OpenOptions options = walk_.options;
    options.context = longest_;
    options.packed_cache.clear();  // each stage is packed once and dropped
    options.reference_weights = nullptr;
    options.on_progress = {};
    return walk_.backend->open(stage.plan, stage.weights, options);
  }

  template <class Run>
  Status each_window(int64_t layer, const Run& run) {
    const auto stages = static_cast<double>(walk_.plan->layers + 2), stage = static_cast<double>(layer + 1);
    for (size_t window = 0; window < windows_.size(); ++window) {
      const double fraction = (stage + static_cast<double>(window) / static_cast<double>(windows_.size())) / stages;
      if (walk_.on_progress && !walk_.on_progress(fraction, layer))
        return fail(ErrorCode::cancelled, "stopped at layer {} of {}", layer, walk_.plan->layers);
      states_.resize(windows_[window].size() * static_cast<size_t>(walk_.plan->hidden));
      PHISCOPE_TRY(run(window, states_));
    }
    return {};
  }

  Status keep(int64_t layer, size_t window, std::span<float> states) {
    if (walk_.on_layer) PHISCOPE_TRY(walk_.on_layer(layer, window, states));
    return file_.write(firsts_[window], states);
  }

  const Walk& walk_;
  std::span<const std::span<const int32_t>> windows_;
  StateFile& file_;
  std::vector<int64_t> firsts_;  // of each window in the file, in values
  int64_t longest_ = 0;
  std::vector<float> states_;
};

}  // namespace

Stage embedding_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights) {
  StageBuilder builder(plan);
  builder.add_all(PhaseKind::embedding);
  builder.plan().embedding = builder.tensor(plan.embedding);
  return builder.finish(std::move(weights));
}

Stage layer_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights, int64_t layer) {
  StageBuilder builder(plan);
  for (const Phase& phase : plan.phases)
    if (phase.layer == layer) builder.add(phase);
  builder.plan().first_layer = layer;
  builder.plan().layers = 1;
  return builder.finish(std::move(weights));
}

Stage norm_stage(const Plan& plan) {
  StageBuilder builder(plan);
  builder.plan().final_norm = plan.final_norm;
  return builder.finish(nullptr);
}

Stage head_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights) {
  StageBuilder builder(plan);
  builder.add_all(PhaseKind::head);
  builder.plan().head = builder.tensor(plan.head);
  return builder.finish(std::move(weights));
}

Status walk_layers(const Walk& walk, std::span<const std::span<const int32_t>> windows, const HiddenCallback& on_hidden) {
  PHISCOPE_ASSIGN(const auto file, StateFile::create(walk.scratch_folder));
  Walker walker(walk, windows, *file);
  PHISCOPE_TRY(walker.embed());
  for (int64_t layer = 0; layer < walk.plan->layers; ++layer) PHISCOPE_TRY(walker.layer(layer));
  return walker.finish(on_hidden);
}

}  // namespace phiscope
