#pragma once
// One GLFW window with OpenGL 3 and Dear ImGui on it. Used from the main thread only, but for wake().

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"

struct GLFWwindow;

namespace phiscope::gui {

struct WindowOptions {
  std::string title = "Phiscope";
  int width = 1440, height = 900;          // of the client area, in pixels at scale 1
  float scale = 0;                         // 0 = what the monitor says
  std::function<void(const std::vector<std::string>& paths)> on_drop;
};

class Window {
 public:
  /// Error unsupported when there is no display or no OpenGL 3.2, saying what to do.
  static Result<std::unique_ptr<Window>> open(WindowOptions options);
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  bool should_close() const;
  void ask_to_close();
  /// Handles what has happened; without anything to do it sleeps until an event, a wake() or the time is over.
  void wait_events(double seconds);
  void begin_frame();
  /// Draws and shows the frame. With `skip_drawing` (fast tests) only what ImGui needs is done.
  void end_frame(bool skip_drawing = false);
  /// RGBA rows from the top of the frame that was drawn last: [height * width * 4].
  std::vector<unsigned char> pixels(int& width, int& height) const;
  void resize(int width, int height);
  float scale() const { return scale_; }
  bool is_visible() const;

  /// Ends a wait_events() of any window. From any thread.
  static void wake();

 private:
  Window() = default;
  WindowOptions options_;
  GLFWwindow* window_ = nullptr;
  float scale_ = 1;
};

}  // namespace phiscope::gui
