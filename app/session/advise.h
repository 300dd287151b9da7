#pragma once
// Collects what core/device needs for its advice: the model's shape, the device, runs of the model, published figures.

#include <filesystem>
#include <string>
#include <vector>

#include "app/session/commands.h"
#include "core/device/advise.h"

namespace phiscope::session {

struct AdviseOptions {
  std::string model;                // MODEL argument, or the name of a published Phi; empty = the model of the newest run
  std::string device;               // profile; empty = this machine, measured when it was not yet
  std::vector<std::string> needs;   // device::add_need
  int64_t context = 0;              // 0 = the shorter of 4096 and the model's
  int64_t prompt = 512;
  std::filesystem::path db;
};
struct AdviceReport {
  std::string model;        // as asked for
  std::string preparation;  // the command that fetches the model which the others name; empty when it is here
  device::AdviceRequest request;
  device::Advice advice;
};
/// Errors: those of inspect_model and find_device; invalid_argument for a need or a context that the model was not made for; not_found without
/// a model and without runs.
Result<AdviceReport> advise(const AdviseOptions& options, const CallOptions& call);

}  // namespace phiscope::session
