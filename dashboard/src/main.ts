import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from './App.vue'
import { router } from './router'
import './styles/tokens.css'
import './styles/base.css'
import { startTicker } from './time/ticker'
import { i18n } from './words/i18n'

createApp(App).use(createPinia()).use(i18n).use(router).mount('#app')
startTicker()
