#pragma once
// A model computed stage by stage over many windows: the embedding, one layer after another, the final norm. Only one stage's weights are in memory,
// and every window passes through it before the next is loaded: a model larger than memory gives the same bits as one that fits.
//
// A stage is a plan of its own with the phases of one layer and the tensors that they use, so every backend runs it as it runs any plan.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/plan.h"
#include "core/base/result.h"

namespace phiscope {

struct Stage {
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<const WeightSource> weights;  // index = tensor of `plan`; keeps the whole model's source alive
};
/// ids -> residual rows.
Stage embedding_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights);
/// residual rows -> residual rows after layer 0 .. plan.layers - 1.
Stage layer_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights, int64_t layer);
/// residual rows -> final-norm states; no tensors.
Stage norm_stage(const Plan& plan);
/// final-norm states -> logits, through Session::logits().
Stage head_stage(const Plan& plan, std::shared_ptr<const WeightSource> weights);

/// What a walk runs, where, and what it tells. The two callbacks may be empty.
struct Walk {
  const Backend* backend = nullptr;
  std::shared_ptr<const Plan> plan;
  std::shared_ptr<const WeightSource> weights;
  OpenOptions options;                   // context, packed_cache and reference_weights are the walk's own business
  std::filesystem::path scratch_folder;  // holds one file of 4 * hidden bytes for each id of all windows, removed at the end
  /// After the embedding (layer -1) and each layer, window by window; may change the residual rows [ids, hidden].
  std::function<Status(int64_t layer, size_t window, std::span<float> residual)> on_layer;
  std::function<bool(double fraction, int64_t layer)> on_progress;  // false cancels
};

/// Receives the final-norm states [ids, hidden] of each window, in order, when no weights are in memory any more.
using HiddenCallback = std::function<Status(size_t window, std::span<const float> hidden)>;

/// Each window is a sequence of its own. Errors: those of the backend, of the callbacks; io naming the scratch file; cancelled.
Status walk_layers(const Walk& walk, std::span<const std::span<const int32_t>> windows, const HiddenCallback& on_hidden);

}  // namespace phiscope
