#include "app/session/worker_client.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "core/base/clock.h"
#include "core/base/files.h"
#include "core/base/ulid.h"
#include "core/base/version.h"

namespace phiscope::session {
namespace {

constexpr int64_t kProtocol = 1;
constexpr double kSliceSeconds = 0.1;  // how often a waiting request looks at its cancel token
constexpr double kExitSeconds = 5;     // for a worker whose stdin was closed

double seconds_since(int64_t begin_ns) { return static_cast<double>(monotonic_ns() - begin_ns) * 1e-9; }

}  // namespace

std::filesystem::path worker_program() {
  if (const char* named = std::getenv("PHISCOPE_WORKER"); named != nullptr && *named != 0) return named;
  return platform::executable_path().parent_path() / "phiscope-worker";
}

std::vector<std::string> worker_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{worker_program().string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

struct WorkerClient::State {
  WorkerOptions options;
  std::unique_ptr<platform::ChildProcess> child;
  std::filesystem::path scratch;
  std::optional<Error> dead;     // why no request can be made any more
  int64_t next_id = 1;
  std::atomic<bool> cancelled{false};
  int64_t cancel_sent_ns = 0;    // of the request that runs; 0 = not cancelled

  Error bury(Error error) {
    if (!dead) dead = error;
    return error;
  }

  /// The child is gone, or is killed now: what ended it.
  Error crash(std::string_view what) {
    const platform::ChildProcess::Exit exit = child->wait(kExitSeconds);
    return bury({ErrorCode::crashed, fmt::format("the worker {} during '{}'", exit.describe(), what)});
  }

  /// Passes a wish to stop on to the worker, once; kills a worker that does not follow in time.
  Status check_cancel(std::string_view what, const CancelToken* cancel);
  /// Next line; looks at cancellation ten times a second and before every line, so that a talkative worker is stopped too.
  Result<Json> receive(std::string_view what, double silence_limit_s, const CancelToken* cancel);
};

Status WorkerClient::State::check_cancel(std::string_view what, const CancelToken* cancel) {
  if (cancel_sent_ns == 0) {
    if (!cancelled.load() && (cancel == nullptr || !cancel->cancelled())) return {};
    cancel_sent_ns = monotonic_ns();
    (void)child->send_line(R"({"type":"cancel"})");  // a dead child is noticed by the next receive
  }
  if (seconds_since(cancel_sent_ns) <= options.cancel_grace_s) return {};
  child->kill();
  return fail(bury({ErrorCode::cancelled, fmt::format("'{}' was stopped", what)}));
}

Result<Json> WorkerClient::State::receive(std::string_view what, double silence_limit_s, const CancelToken* cancel) {
  const int64_t begin = monotonic_ns();
  for (;;) {
    PHISCOPE_TRY(check_cancel(what, cancel));
    auto line = child->receive_line(kSliceSeconds);
    if (line) {
      auto message = parse_json(*line, "worker");
      if (message) return message;
      child->kill();
      return fail(bury(message.error().with_context("the worker broke the protocol")));
    }
    if (line.error().code == ErrorCode::crashed) return fail(crash(what));
    if (line.error().code != ErrorCode::hung && line.error().code != ErrorCode::cancelled) {
      child->kill();
      return fail(bury(line.error()));
    }
    if (cancel_sent_ns == 0 && silence_limit_s > 0 && seconds_since(begin) > silence_limit_s) {
      child->kill();
      return fail(bury({ErrorCode::hung, fmt::format("the worker said nothing for {:.3g} s during '{}' and was killed", silence_limit_s, what)}));
    }
  }
}

WorkerClient::WorkerClient() : state_(std::make_unique<State>()) {}

WorkerClient::~WorkerClient() {
  if (state_->child) {
    state_->child->close_stdin();
    (void)state_->child->wait(state_->dead ? 0 : kExitSeconds);
  }
  std::error_code ignored;
  if (!state_->scratch.empty()) std::filesystem::remove_all(state_->scratch, ignored);
}

Result<std::unique_ptr<WorkerClient>> WorkerClient::start(WorkerOptions options) {
  std::unique_ptr<WorkerClient> client(new WorkerClient);
  State& state = *client->state_;
  state.options = std::move(options);
  const std::filesystem::path program = state.options.program.empty() ? worker_program() : state.options.program;
  if (!std::filesystem::exists(program))
    return fail(ErrorCode::not_found, "the worker program {} does not exist; build phiscope-worker beside phiscope or set PHISCOPE_WORKER",
                program.string());
  std::error_code problem;
  state.scratch = std::filesystem::temp_directory_path(problem) / ("phiscope-" + make_ulid());
  if (!problem) std::filesystem::create_directories(state.scratch, problem);
  if (problem) return fail(ErrorCode::io, "{}: cannot be created: {}", state.scratch.string(), problem.message());
  std::filesystem::permissions(state.scratch, std::filesystem::perms::owner_all, problem);

  platform::ChildProcess::Options child;
  child.arguments = {program.string()};
  child.arguments.insert(child.arguments.end(), state.options.arguments.begin(), state.options.arguments.end());
  child.environment = state.options.environment;
  child.on_stderr_line = state.options.on_log;
  PHISCOPE_ASSIGN(state.child, platform::ChildProcess::start(std::move(child)));
  PHISCOPE_ASSIGN(const Json hello, state.receive("hello", state.options.hello_timeout_s, nullptr));
  const std::string version = json_string_or(hello, "app_version", "unknown");
  const int64_t protocol = hello.contains("protocol") && hello["protocol"].is_number_integer() ? hello["protocol"].get<int64_t>() : 0;
  if (json_string_or(hello, "type", "") != "hello" || protocol != kProtocol) {
    state.child->kill();
    return fail(ErrorCode::unsupported, "{} is version {} with protocol {}, phiscope {} speaks protocol {}; build both from the same source",
                program.string(), version, protocol, kVersion, kProtocol);
  }
  return client;
}

Result<Json> WorkerClient::request(std::string_view type, Json fields, double silence_limit_s, const OnMessage& on_message,
                                   const CancelToken* cancel) {
  State& state = *state_;
  if (state.dead) return fail(*state.dead);
  state.cancel_sent_ns = 0;
  const int64_t id = state.next_id++;
  Json message{{"type", type}, {"id", id}};
  message.update(fields);
  if (auto sent = state.child->send_line(dump_line(message)); !sent) return fail(state.crash(type));
  for (;;) {
    auto reply = state.receive(type, silence_limit_s, cancel);
    if (!reply) {
      state.cancelled.store(false);
      return fail(std::move(reply.error()));
    }
    const std::string kind = json_string_or(*reply, "type", "");
    if (!reply->contains("id") || reply->at("id") != id) continue;  // a late answer to a request that was given up
    if (kind == "error" || kind == "result") state.cancelled.store(false);
    if (kind == "error")
      return fail(Error{error_code_from_name(json_string_or(*reply, "code", "")), json_string_or(*reply, "message", "the worker gave no reason")});
    if (kind == "result") return std::move(*reply);
    if (on_message) on_message(*reply);
  }
}

void WorkerClient::cancel() { state_->cancelled.store(true); }

void WorkerClient::kill() {
  if (state_->child) state_->child->kill();
}

int WorkerClient::process_id() const { return state_->child ? state_->child->process_id() : 0; }

bool WorkerClient::alive() const { return state_->child != nullptr && !state_->dead; }

const std::filesystem::path& WorkerClient::scratch_folder() const { return state_->scratch; }

}  // namespace phiscope::session
