import { createRouter, createWebHistory } from 'vue-router'

import BoardPage from './pages/BoardPage.vue'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'board', component: BoardPage },
    { path: '/:unknown(.*)*', redirect: '/' },
  ],
})
