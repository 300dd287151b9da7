#include "tests/gui/harness.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <imgui_test_engine/thirdparty/stb/imstb_image_write.h>
#pragma GCC diagnostic pop

namespace phiscope::test {
namespace {

using Clock = std::chrono::steady_clock;

/// What passes between the coroutine of a scenario and the loop that owns the window.
struct Shared {
  const Scenario* scenario = nullptr;
  gui::Application* app = nullptr;
  std::filesystem::path folder, pictures;
  std::string wanted_picture;
  int frames_drawn = 0;  // for that picture
};

// A window that was resized has its new buffers only after a swap.
constexpr int kFramesOfAPicture = 3;

void save_picture(Shared& shared) {
  if (shared.wanted_picture.empty() || ++shared.frames_drawn < kFramesOfAPicture) return;
  shared.frames_drawn = 0;
  int width = 0, height = 0;
  const auto pixels = shared.app->window().pixels(width, height);
  const std::filesystem::path path = shared.pictures / (shared.wanted_picture + ".png");
  std::filesystem::create_directories(shared.pictures);
  if (stbi_write_png(path.c_str(), width, height, 4, pixels.data(), width * 4) == 0) std::fprintf(stderr, "%s was not written\n", path.c_str());
  shared.wanted_picture.clear();
}

void run_scenario(ImGuiTestContext* context) {
  auto& shared = *static_cast<Shared*>(context->Test->UserData);
  Stage stage{*shared.app, *context, shared.folder, [&](const std::string& name) {
                if (shared.pictures.empty()) return;
                context->Yield(3);
                shared.wanted_picture = name;
                while (!shared.wanted_picture.empty()) context->Yield();
              }};
  shared.scenario->play(stage);
}

void configure(ImGuiTestEngine* engine) {
  ImGuiTestEngineIO& io = ImGuiTestEngine_GetIO(engine);
  io.ConfigRunSpeed = ImGuiTestRunSpeed_Fast;
  io.ConfigVerboseLevel = ImGuiTestVerboseLevel_Warning;
  io.ConfigVerboseLevelOnError = ImGuiTestVerboseLevel_Info;
  io.ConfigLogToTTY = true;
  io.ConfigNoThrottle = true;
  io.ConfigSavedSettings = false;
  // Benchmarks take longer than an engine's test usually does; wait() has limits of its own.
  io.ConfigWatchdogWarning = io.ConfigWatchdogKillTest = io.ConfigWatchdogKillApp = 3600;
}

void set_environment(const std::filesystem::path& folder) {
  ::setenv("PHISCOPE_WORKER", PHISCOPE_WORKER_PROGRAM, 1);
  ::setenv("PHISCOPE_CACHE", (folder / "cache").c_str(), 1);
  ::setenv("PHISCOPE_DATASETS", source_path("datasets").c_str(), 1);
  ::setenv("PHISCOPE_LOCKS", (folder / "locks").c_str(), 1);
  ::setenv("XDG_CONFIG_HOME", (folder / "config").c_str(), 1);
  ::setenv("HOME", folder.c_str(), 1);
}

}  // namespace

bool Stage::wait(const std::function<bool(const session::Snapshot&)>& is_reached, double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!is_reached(*snapshot())) {
    if (Clock::now() > end) {
      IM_CHECK_NO_RET(false && "what the scenario waits for never came");
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    context.Yield();
  }
  context.Yield(2);
  return true;
}

void Stage::show(const std::string& panel) {
  app.show(panel);
  context.Yield(3);
}

std::string Stage::item(const std::string& panel, const std::string& path) const {
  for (const gui::PanelRow& row : gui::panel_table())
    if (panel == row.id) return std::string("//") + row.title + "###" + row.id + "/" + path;
  return "//" + panel + "/" + path;
}

bool play(const Scenario& scenario, const std::filesystem::path& pictures) {
  const TemporaryFolder folder;
  set_environment(folder.path());
  if (scenario.prepare != nullptr) scenario.prepare(folder.path());
  gui::ApplicationOptions options;
  options.database = folder / "runs.db";
  options.config_folder = folder / "config";
  options.scale = scenario.scale;
  options.width = scenario.width;
  options.height = scenario.height;
  auto app = gui::Application::open(options);
  if (!app) {
    std::fprintf(stderr, "%s\n", app.error().message.c_str());
    return false;
  }
  ImGuiTestEngine* engine = ImGuiTestEngine_CreateContext();
  configure(engine);
  Shared shared{&scenario, app->get(), folder.path(), pictures, "", 0};
  ImGuiTest* test = IM_REGISTER_TEST(engine, "gui", scenario.name);
  test->TestFunc = &run_scenario;
  test->UserData = &shared;
  ImGuiTestEngine_Start(engine, ImGui::GetCurrentContext());
  ImGuiTestEngine_QueueTest(engine, test);
  while (!ImGuiTestEngine_IsTestQueueEmpty(engine)) {
    (*app)->window().wait_events(0);
    (*app)->draw_frame(shared.wanted_picture.empty());
    save_picture(shared);
    ImGuiTestEngine_PostSwap(engine);
  }
  ImGuiTestEngineResultSummary summary;
  ImGuiTestEngine_GetResultSummary(engine, &summary);
  ImGuiTestEngine_Stop(engine);
  app->reset();  // the ImGui context goes before the engine
  ImGuiTestEngine_DestroyContext(engine);
  return summary.CountTested == 1 && summary.CountSuccess == 1;
}

}  // namespace phiscope::test
