// Draws the charts from the data in the page and makes the tables sortable. Loads nothing.
(function () {
  'use strict';
  const root = document.documentElement;
  window.addEventListener('error', function (event) { root.dataset.error = event.message; });

  const specifications = JSON.parse(document.getElementById('chart-data').textContent);
  const darkPage = window.matchMedia('(prefers-color-scheme: dark)');
  let drawn = [];
  let printing = false;

  function cssColour(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }

  function shortNumber(value) {
    if (value === 0) return '0';
    const size = Math.abs(value);
    if (size >= 1e5 || size < 1e-3) return value.toExponential(size >= 1e5 ? 1 : 0).replace('e+', 'e');
    return String(Number(value.toPrecision(4)));
  }

  // Whiskers from low to high of each point; on a logarithmic axis what is not positive ends at the edge.
  const errorBars = {
    id: 'errorBars',
    afterDatasetsDraw: function (chart) {
      const context = chart.ctx;
      const area = chart.chartArea;
      const scale = chart.scales.y;
      chart.data.datasets.forEach(function (dataset, index) {
        if (!dataset.whiskers || !chart.isDatasetVisible(index)) return;
        chart.getDatasetMeta(index).data.forEach(function (element, at) {
          const range = dataset.whiskers[at];
          if (!range) return;
          const bottom = scale.type === 'logarithmic' && range[0] <= 0 ? area.bottom : scale.getPixelForValue(range[0]);
          const top = scale.getPixelForValue(range[1]);
          if (!isFinite(bottom) || !isFinite(top)) return;
          context.save();
          context.beginPath();
          context.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
          context.clip();
          context.beginPath();
          context.moveTo(element.x, bottom); context.lineTo(element.x, top);
          context.moveTo(element.x - 4, bottom); context.lineTo(element.x + 4, bottom);
          context.moveTo(element.x - 4, top); context.lineTo(element.x + 4, top);
          if (dataset.type === 'bar') {  // a rim, so that the line shows on a bar of its own colour
            context.strokeStyle = cssColour('--page');
            context.lineWidth = 3.5;
            context.stroke();
          }
          context.strokeStyle = dataset.type === 'bar' ? cssColour('--text') : dataset.borderColor;
          context.lineWidth = 1.25;
          context.stroke();
          context.restore();
        });
      });
    }
  };

  // The name beside each point of a scatter chart, moved down or up while it would cover another.
  const pointNames = {
    id: 'pointNames',
    afterDatasetsDraw: function (chart) {
      if (!chart.options.plugins.pointNames) return;
      const context = chart.ctx;
      const area = chart.chartArea;
      const taken = [];
      context.save();
      context.font = '12px ' + Chart.defaults.font.family;
      context.textBaseline = 'middle';
      context.fillStyle = cssColour('--text');
      chart.data.datasets.forEach(function (dataset, index) {
        if (!chart.isDatasetVisible(index) || dataset.isGuide) return;
        chart.getDatasetMeta(index).data.forEach(function (element) {
          const width = context.measureText(dataset.label).width;
          const left = element.x + 10 + width > area.right ? element.x - 10 - width : element.x + 10;
          let y = element.y - 10;
          for (const step of [0, 18, -16, 34, -32]) {
            y = element.y - 10 + step;
            const box = [left, y - 7, left + width, y + 7];
            if (!taken.some(function (other) { return box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]; })) break;
          }
          taken.push([left, y - 7, left + width, y + 7]);
          context.fillText(dataset.label, left, y);
        });
      });
      context.restore();
    }
  };

  function whiskersOf(series, stacked) {
    if (stacked || series.guide) return null;
    const list = series.points.map(function (point) { return point.low === null || point.high === null ? null : [point.low, point.high]; });
    return list.some(Boolean) ? list : null;
  }

  function datasetOf(specification, series, categories, dark) {
    const colour = dark ? series.dark : series.light;
    const isBar = specification.kind === 'bar';
    const dataset = { label: series.name, borderColor: colour, backgroundColor: colour, isGuide: series.guide };
    if (isBar) {
      const place = new Map(series.points.map(function (point) { return [point.label, point]; }));
      const points = categories.map(function (name) { return place.get(name) || null; });
      dataset.type = 'bar';
      dataset.data = points.map(function (point) { return point && point.y; });
      dataset.whiskers = specification.stacked ? null : points.map(function (point) { return point && point.low !== null && point.high !== null ? [point.low, point.high] : null; });
      dataset.maxBarThickness = 46;
      dataset.pointStyle = 'rect';
      return dataset;
    }
    dataset.type = 'line';
    dataset.data = series.points.map(function (point) { return { x: point.x, y: point.y }; });
    dataset.whiskers = whiskersOf(series, false);
    dataset.showLine = series.guide || specification.kind === 'line';
    dataset.borderDash = series.guide ? [6, 5] : [];
    dataset.borderWidth = series.guide ? 1.5 : 2;
    const isDense = series.points.length > 20;
    dataset.pointRadius = series.guide ? 0 : isDense ? 1.5 : 5;
    dataset.pointHoverRadius = series.guide ? 0 : 7;
    dataset.pointStyle = series.guide ? 'line' : series.marker;
    dataset.pointBorderWidth = series.marker === 'star' || series.marker === 'crossRot' ? 2 : 1;
    dataset.tension = 0;
    return dataset;
  }

  function decades(values) {
    const positive = values.filter(function (value) { return value > 0; });
    return positive.length ? Math.log10(Math.max.apply(null, positive) / Math.min.apply(null, positive)) : 0;
  }

  function axis(label, logarithmic, values, zero) {
    const few = decades(values) < 1.3;
    const result = {
      type: logarithmic ? 'logarithmic' : 'linear',
      title: { display: true, text: label },
      beginAtZero: zero,
      grace: logarithmic ? 0 : '5%',
      grid: { color: cssColour('--line') },
      ticks: {
        maxTicksLimit: 9,
        maxRotation: 0,
        callback: function (value) {
          if (!logarithmic) return shortNumber(value);
          const digit = Math.round(value / Math.pow(10, Math.floor(Math.log10(value) + 1e-9)));
          return digit === 1 || (few && (digit === 2 || digit === 5)) ? shortNumber(value) : '';
        }
      }
    };
    if (logarithmic) {
      const positive = values.filter(function (value) { return value > 0; });
      result.min = Math.min.apply(null, positive) / 1.6;
      result.max = Math.max.apply(null, positive) * 1.6;
    }
    return result;
  }

  function configurationOf(specification, dark) {
    const isBar = specification.kind === 'bar';
    const categories = [];
    const xs = [];
    const ys = [];
    specification.series.forEach(function (series) {
      series.points.forEach(function (point) {
        if (isBar && categories.indexOf(point.label) < 0) categories.push(point.label);
        xs.push(point.x);
        ys.push(point.y);
        if (point.low > 0) ys.push(point.low);
        if (point.high > 0) ys.push(point.high);
      });
    });
    const y = axis(specification.yLabel, specification.logY, ys, true);
    const x = isBar ? { type: 'category', grid: { display: false }, title: { display: true, text: specification.xLabel } }
                    : axis(specification.xLabel, specification.logX, xs, true);
    if (!specification.logX) x.grace = 0;
    if (specification.stacked) { x.stacked = true; y.stacked = true; }
    return {
      type: isBar ? 'bar' : 'line',
      data: { labels: isBar ? categories : undefined, datasets: specification.series.map(function (series) { return datasetOf(specification, series, categories, dark); }) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: { mode: isBar ? 'index' : 'nearest', intersect: !isBar },
        scales: { x: x, y: y },
        plugins: {
          pointNames: specification.kind === 'scatter',
          legend: { position: 'bottom', labels: { usePointStyle: true, boxWidth: 9, boxHeight: 9, padding: 14 } },
          tooltip: {
            filter: function (item) { return !item.dataset.isGuide; },
            callbacks: {
              label: function (item) {
                const range = item.dataset.whiskers && item.dataset.whiskers[item.dataIndex];
                return item.dataset.label + ': ' + shortNumber(item.parsed.y) + (range ? ' (' + shortNumber(range[0]) + ' .. ' + shortNumber(range[1]) + ')' : '');
              }
            }
          }
        }
      },
      plugins: [errorBars, pointNames]
    };
  }

  function drawAll() {
    drawn.forEach(function (chart) { chart.destroy(); });
    const dark = darkPage.matches && !printing;
    Chart.defaults.color = cssColour('--soft');
    Chart.defaults.font.family = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
    drawn = specifications.map(function (specification) {
      return new Chart(document.getElementById('chart-' + specification.id), configurationOf(specification, dark));
    });
    root.dataset.charts = String(drawn.filter(function (chart) {
      const canvas = chart.canvas;
      return canvas.width > 0 && canvas.height > 0 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
    }).length);
  }

  function cellKey(row, column) {
    const cell = row.cells[column];
    if (!cell) return '';
    return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
  }

  // Numbers before texts; missing ones stay at the end in both directions.
  function compareKeys(a, b, sign) {
    const numbers = [typeof a === 'number', typeof b === 'number'];
    if (numbers[0] && numbers[1]) return sign * (a - b);
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
    return sign * a.localeCompare(b);
  }

  function makeSortable(table) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      head.querySelector('button').addEventListener('click', function () {
        const ascending = head.getAttribute('aria-sort') !== 'ascending';
        heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
        const body = table.tBodies[0];
        const rows = Array.from(body.rows);
        rows.sort(function (a, b) { return compareKeys(cellKey(a, column), cellKey(b, column), ascending ? 1 : -1); });
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });
  }

  document.querySelectorAll('table.sortable').forEach(makeSortable);
  drawAll();
  darkPage.addEventListener('change', drawAll);
  window.addEventListener('beforeprint', function () {
    printing = true;
    document.querySelectorAll('main > details').forEach(function (part) { part.open = true; });
    drawAll();
  });
  window.addEventListener('afterprint', function () { printing = false; drawAll(); });
})();
